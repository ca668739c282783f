using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Carrier.Core.Crypto;

/// <summary>Key material outside the collected heap: never moved or copied by the collector, zeroed before it is freed.</summary>
internal sealed unsafe class KeyMemory : SafeHandle
{
    private const int AlignmentBytes = 16; // what sodium asks for, and what malloc gives without waste

    private readonly int _bytes;

    public KeyMemory(int bytes)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        _bytes = bytes;
        SetHandle((nint)NativeMemory.AlignedAlloc((nuint)bytes, AlignmentBytes));
        Span.Clear();
    }

    public override bool IsInvalid => handle == 0;

    public Span<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return new Span<byte>((void*)handle, _bytes);
        }
    }

    /// <summary>The first byte. Good only while this object is alive and not disposed: the caller ends with <c>GC.KeepAlive</c>.</summary>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (byte*)handle;
        }
    }

    protected override bool ReleaseHandle()
    {
        CryptographicOperations.ZeroMemory(new Span<byte>((void*)handle, _bytes));
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
