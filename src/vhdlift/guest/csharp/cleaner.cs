namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.IO;

    // Deletes files below one root and never anywhere else. The root is another machine's disk: a link in it may
    // name a folder by a path that exists here too, so no link is ever followed; only the link itself goes.
    // Memory: one buffer of 4 MiB, and the names of one folder at each level.
    public sealed class Cleaner : Work
    {
        private const int Buffer = 4194304;
        private readonly string root;
        private readonly string[] names;

        // `names` are paths below `root`: a file, or a folder that is emptied and stays when it ends in a backslash or slash.
        public Cleaner(string root, string[] names)
        {
            this.root = root;
            this.names = names;
        }

        // What was removed, one line for each of the names of which there was something.
        public readonly List<string> Removed = new List<string>();

        // What could not be removed.
        public int Refused { get; private set; }

        public long Freed { get; private set; }

        protected override void Do()
        {
            foreach (string name in names)
            {
                string[] parts = name.Split(new char[] { '\\', '/' }, StringSplitOptions.RemoveEmptyEntries);
                bool folder = name.EndsWith("\\", StringComparison.Ordinal) || name.EndsWith("/", StringComparison.Ordinal);
                long before = Freed;
                int count = 0;
                foreach (string place in Places(root, parts, 0))
                {
                    if (folder) { count += Empty(place); }
                    else if (Remove(place, true)) { count++; }
                }
                if (count > 0) { Removed.Add(name + ": " + count + " removed, " + (Freed - before) + " bytes"); }
            }
        }

        // Existing places that match the parts; `*` is any folder. A link on the way ends it.
        private IEnumerable<string> Places(string at, string[] parts, int next)
        {
            if (next > 0 && IsLink(at) && next < parts.Length) { yield break; }
            if (next == parts.Length)
            {
                if (File.Exists(at) || Directory.Exists(at)) { yield return at; }
                yield break;
            }
            if (!Directory.Exists(at)) { yield break; }
            IEnumerable<string> below = parts[next] == "*" ? List(at, true) : new string[] { Path.Combine(at, parts[next]) };
            foreach (string child in below)
            {
                foreach (string place in Places(child, parts, next + 1)) { yield return place; }
            }
        }

        private int Empty(string folder)
        {
            if (IsLink(folder) || !Directory.Exists(folder)) { return 0; }
            int count = 0;
            foreach (string child in List(folder, true))
            {
                if (IsLink(child)) { count += RemoveLink(child) ? 1 : 0; continue; }
                count += Empty(child);
                if (Try(delegate { Directory.Delete(child, false); })) { count++; }
            }
            foreach (string file in List(folder, false)) { if (Remove(file, false)) { count++; } }
            return count;
        }

        // A large file is filled with zeros first: what it held then neither stays on the disk nor is uploaded.
        private bool Remove(string path, bool zero)
        {
            if (IsLink(path)) { return RemoveLink(path); }
            if (!File.Exists(path)) { return false; }
            long length = 0;
            bool done = Try(delegate
            {
                length = new FileInfo(path).Length;
                File.SetAttributes(path, FileAttributes.Normal);
                if (zero) { Zero(path, length); }
                File.Delete(path);
            });
            if (done) { Freed += length; }
            return done;
        }

        private void Zero(string path, long length)
        {
            Total += length;
            byte[] nothing = new byte[Buffer];
            using (FileStream file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.None))
            {
                for (long at = 0; at < length; at += Buffer)
                {
                    int count = (int)Math.Min(Buffer, length - at);
                    file.Write(nothing, 0, count);
                    Add(count);
                }
                file.Flush(true);
            }
        }

        private bool RemoveLink(string path)
        {
            return Try(delegate
            {
                if ((File.GetAttributes(path) & FileAttributes.Directory) != 0) { Directory.Delete(path, false); }
                else { File.Delete(path); }
            });
        }

        private bool Try(Action work)
        {
            try { work(); return true; }
            catch (IOException) { Refused++; return false; }
            catch (UnauthorizedAccessException) { Refused++; return false; }
        }

        private string[] List(string folder, bool folders)
        {
            string[] found = new string[0];
            Try(delegate { found = folders ? Directory.GetDirectories(folder) : Directory.GetFiles(folder); });
            return found;
        }

        private static bool IsLink(string path)
        {
            try { return (File.GetAttributes(path) & FileAttributes.ReparsePoint) != 0; }
            catch (IOException) { return false; }
            catch (UnauthorizedAccessException) { return true; }
        }
    }
}
