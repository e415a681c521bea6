// Draws a heart with the libraries beside the program: Draw.exe MODEL OUTPUT. No resolver and no configuration says where
// they are; the runtime looks beside the assembly.
using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;

static class Draw
{
    const string Library = "diffuse";

    [DllImport(Library)] static extern int diffuse_request_new(out IntPtr request);
    [DllImport(Library)] static extern int diffuse_request_set_class(IntPtr request, long item, byte[] name);
    [DllImport(Library)] static extern int diffuse_request_set_seed(IntPtr request, ulong seed);
    [DllImport(Library)] static extern void diffuse_request_free(IntPtr request);
    [DllImport(Library)] static extern int diffuse_job_open(IntPtr runtime, byte[] path, IntPtr options, IntPtr request, out IntPtr job);
    [DllImport(Library)] static extern int diffuse_job_run(IntPtr job);
    [DllImport(Library)] static extern int diffuse_job_read_pixels(IntPtr job, UIntPtr item, byte[] pixels, UIntPtr length, UIntPtr stride, uint flags);
    [DllImport(Library)] static extern void diffuse_job_free(IntPtr job);
    [DllImport(Library)] static extern IntPtr diffuse_error_message();

    static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + "\0");

    static void Check(int status)
    {
        if (status != 0) throw new InvalidOperationException(Marshal.PtrToStringAnsi(diffuse_error_message()));
    }

    static int Main(string[] arguments)
    {
        Check(diffuse_request_new(out IntPtr request));
        Check(diffuse_request_set_class(request, -1, Utf8("heart")));
        Check(diffuse_request_set_seed(request, 7));
        Check(diffuse_job_open(IntPtr.Zero, Utf8(arguments[0]), IntPtr.Zero, request, out IntPtr job));
        diffuse_request_free(request);
        Check(diffuse_job_run(job));
        var pixels = new byte[32 * 32 * 4];
        Check(diffuse_job_read_pixels(job, UIntPtr.Zero, pixels, (UIntPtr)pixels.Length, (UIntPtr)(32 * 4), 0));
        diffuse_job_free(job);
        File.WriteAllBytes(arguments[1], pixels);
        return 0;
    }
}
