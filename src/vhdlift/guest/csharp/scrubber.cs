namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.Text.RegularExpressions;

    // Takes secrets out of text before it is logged or sent: every value it was told, also URL-encoded and
    // decoded, and the value of anything that looks like a signature or a key.
    public static class Scrubber
    {
        private const int Shortest = 6;
        private static readonly object Gate = new object();
        private static readonly List<string> Secrets = new List<string>();
        private static readonly Regex Signature = new Regex(
            @"(?:\b|(?<=%3f|%26))((?:sig|signature|accountkey|sharedaccesssignature|whsec)(?:=|%3d|_))[^&\s""'<>;,)]+",
            RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

        public static void Add(string secret)
        {
            if (secret == null || secret.Length < Shortest) { return; }
            lock (Gate)
            {
                foreach (string form in new string[] { secret, Uri.EscapeDataString(secret), Uri.UnescapeDataString(secret) })
                {
                    if (!Secrets.Contains(form)) { Secrets.Add(form); }
                }
                Secrets.Sort(delegate(string left, string right) { return right.Length.CompareTo(left.Length); });
            }
        }

        public static string Clean(string text)
        {
            if (text == null) { return ""; }
            lock (Gate)
            {
                foreach (string secret in Secrets) { text = text.Replace(secret, "***"); }
            }
            return Signature.Replace(text, "$1***");
        }
    }
}
