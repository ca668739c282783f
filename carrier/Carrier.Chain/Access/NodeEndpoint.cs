namespace Carrier.Chain.Access;

/// <summary>Where a node answers JSON-RPC, and the user it knows us as.</summary>
public sealed record NodeEndpoint(Uri Address, string User = "", string Password = "")
{
    /// <summary>The address without its secrets: for logs and reports.</summary>
    public string Name => Address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    /// <summary>Reads <c>http://user:password@host:port/path</c>.</summary>
    public static bool TryParse(string text, out NodeEndpoint? endpoint)
    {
        endpoint = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https") || uri.Query.Length > 0)
        {
            return false;
        }

        string[] user = uri.UserInfo.Split(':', 2);
        var bare = new Uri(uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));
        endpoint = new NodeEndpoint(bare, Uri.UnescapeDataString(user[0]), user.Length == 2 ? Uri.UnescapeDataString(user[1]) : "");
        return true;
    }

    // A record would print the password.
    public override string ToString() => Name;
}
