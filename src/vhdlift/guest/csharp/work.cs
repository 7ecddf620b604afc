namespace Vhdlift
{
    using System;
    using System.IO;
    using System.Security.Cryptography;
    using System.Text;
    using System.Threading;

    // Long work on a thread of its own. The script looks at Done and Total while it goes on, so that it can
    // tell how far it is; Error says why it stopped, with every secret taken out.
    public abstract class Work
    {
        private long done;
        private volatile bool finished;
        private volatile string error = "";

        public long Total;

        public long Done { get { return Interlocked.Read(ref done); } }

        public bool Finished { get { return finished; } }

        public string Error { get { return error; } }

        public void Start()
        {
            Thread thread = new Thread(Guarded);
            thread.IsBackground = true;
            thread.Start();
        }

        protected void Add(long bytes) { Interlocked.Add(ref done, bytes); }

        protected abstract void Do();

        private void Guarded()
        {
            try { Do(); }
            catch (Exception problem)
            {
                Exception cause = problem.GetBaseException();
                error = Scrubber.Clean(cause.GetType().Name + ": " + cause.Message);
            }
            finished = true;
        }
    }

    // SHA-256 of a whole file, 4 MiB at a time.
    public sealed class HashWork : Work
    {
        private readonly string path;

        public HashWork(string path)
        {
            this.path = path;
            Total = new FileInfo(path).Length;
        }

        // 64 lower-case hexadecimal digits, once finished.
        public string Hex { get; private set; }

        public static string Of(string path)
        {
            HashWork work = new HashWork(path);
            work.Do();
            return work.Hex;
        }

        protected override void Do()
        {
            using (SHA256 hash = SHA256.Create())
            using (FileStream file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 65536,
                FileOptions.SequentialScan))
            {
                byte[] buffer = new byte[4194304];
                int got;
                while ((got = file.Read(buffer, 0, buffer.Length)) > 0)
                {
                    hash.TransformBlock(buffer, 0, got, buffer, 0);
                    Add(got);
                }
                hash.TransformFinalBlock(buffer, 0, 0);
                StringBuilder text = new StringBuilder();
                foreach (byte b in hash.Hash) { text.Append(b.ToString("x2")); }
                Hex = text.ToString();
            }
        }
    }

    public static class Files
    {
        public static void Replace(string path, string text) { Replace(path, text, null); }

        // The whole file or the old one, never a half: written beside it, flushed, then put in its place. The old one is
        // kept at `old` when that is given.
        public static void Replace(string path, string text, string old)
        {
            string beside = path + ".new";
            byte[] data = new UTF8Encoding(false).GetBytes(text);
            using (FileStream file = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                file.Write(data, 0, data.Length);
                file.Flush(true);
            }
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    if (File.Exists(path)) { File.Replace(beside, path, old); }
                    else { File.Move(beside, path); }
                    return;
                }
                catch (IOException)
                {
                    // A virus scanner that looks at the old file holds it for a moment.
                    if (attempt == 20) { throw; }
                    Thread.Sleep(100);
                }
            }
        }

        // The last `count` bytes of a text file that another process may still write.
        public static string Tail(string path, int count)
        {
            if (!File.Exists(path)) { return ""; }
            using (FileStream file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                int take = (int)Math.Min(count, file.Length);
                return Encoding.UTF8.GetString(Bytes.Read(file, file.Length - take, take));
            }
        }
    }
}
