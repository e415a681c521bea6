using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Diffuse
{
    /// <summary>Texts of the C interface: UTF-8 that ends in a zero.</summary>
    internal static unsafe class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        internal static byte[] Bytes(string text, string argument)
        {
            if (text == null) throw new ArgumentNullException(argument);
            if (text.IndexOf('\0') >= 0) throw new ArgumentException(argument + ": has a zero in it", argument);
            try
            {
                return Strict.GetBytes(text + "\0");
            }
            catch (EncoderFallbackException)
            {
                throw new ArgumentException(argument + ": half of a character (a lone surrogate)", argument);
            }
        }

        internal static byte[] BytesOrNull(string text, string argument) => text == null ? null : Bytes(text, argument);

        /// <summary>A text of a handle. The handle must not be freed while it is copied.</summary>
        internal static string Text<T>(T handle, Func<T, IntPtr> text) where T : SafeHandle
        {
            var isHeld = false;
            try
            {
                handle.DangerousAddRef(ref isHeld);
                return Text(text(handle));
            }
            finally
            {
                if (isHeld) handle.DangerousRelease();
            }
        }

        internal static string Text(IntPtr address)
        {
            if (address == IntPtr.Zero) return "";
            var first = (byte*)address;
            var length = 0;
            while (first[length] != 0) length++;
            return length == 0 ? "" : Encoding.UTF8.GetString(first, length);
        }

        /// <summary>The strings of a JSON array, as the library writes it.</summary>
        internal static string[] Strings(string json)
        {
            var strings = new List<string>();
            var text = new StringBuilder();
            for (var i = 0; i < json.Length; i++)
            {
                if (json[i] != '"') continue;
                text.Clear();
                for (i++; json[i] != '"'; i++)
                {
                    if (json[i] != '\\')
                    {
                        text.Append(json[i]);
                        continue;
                    }
                    i++;
                    switch (json[i])
                    {
                        case 'n': text.Append('\n'); break;
                        case 't': text.Append('\t'); break;
                        case 'r': text.Append('\r'); break;
                        case 'b': text.Append('\b'); break;
                        case 'f': text.Append('\f'); break;
                        case 'u':
                            text.Append((char)Convert.ToInt32(json.Substring(i + 1, 4), 16));
                            i += 4;
                            break;
                        default: text.Append(json[i]); break;
                    }
                }
                strings.Add(text.ToString());
            }
            return strings.ToArray();
        }
    }
}
