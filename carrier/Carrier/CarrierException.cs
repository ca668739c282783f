namespace Carrier;

/// <summary>What was asked did not come about; <see cref="Error"/> says why, and the message what to do next.</summary>
public sealed class CarrierException : IOException
{
    public CarrierException()
    {
    }

    public CarrierException(string message)
        : base(message)
    {
    }

    public CarrierException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public CarrierException(CarrierError error, string message, ulong code = 0)
        : base(message)
    {
        Error = error;
        Code = code;
    }

    public CarrierError Error { get; }

    /// <summary>The application's code the stream was reset or the session closed with, where there is one.</summary>
    public ulong Code { get; }
}
