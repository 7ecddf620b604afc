namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.Globalization;
    using System.IO;
    using System.Threading;

    // Ranged downloads of the listed pages into a file of full length, several at a time.
    // Pieces are fetched at the same time but written in rising order, for two reasons: NTFS fills with zeros up
    // to the farthest write, and one number (the mark) then says what is on the disk after a crash.
    // Memory: `workers` pieces of 8 MiB.
    public sealed class Download : Work
    {
        private const int PieceSize = 8388608;
        private const long MarkEvery = 268435456;
        private const int Tries = 8;

        private readonly string url;
        private readonly string path;
        private readonly string markPath;
        private readonly long length;
        private readonly int workers;
        private readonly double scale;
        private readonly object gate = new object();
        private readonly List<Span> spans;
        private List<Span> pieces;
        private int nextToFetch;
        private int nextToWrite;
        private long unmarked;
        private string failure;

        public Download(string url, string path, string markPath, List<Span> spans, long length, int workers, double scale)
        {
            this.url = url;
            this.path = path;
            this.markPath = markPath;
            this.spans = spans;
            this.length = length;
            this.workers = workers;
            this.scale = scale;
            Total = Pages.Sum(spans);
        }

        // Below this byte all is on the disk; 0 when the file or the mark is not of this download.
        public static long Mark(string path, string markPath, long length)
        {
            if (!File.Exists(path) || !File.Exists(markPath) || new FileInfo(path).Length != length) { return 0; }
            string[] words = File.ReadAllText(markPath).Split(' ');
            long mark;
            if (words.Length != 2 || words[1] != length.ToString(CultureInfo.InvariantCulture)) { return 0; }
            bool number = long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out mark);
            return number && mark <= length ? mark : 0;
        }

        protected override void Do()
        {
            long mark = Mark(path, markPath, length);
            if (mark == 0 && File.Exists(path)) { File.Delete(path); }
            pieces = Pages.Pieces(spans, mark, PieceSize);
            Add(Total - Pages.Sum(pieces));
            using (FileStream file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read))
            {
                if (file.Length != length) { file.SetLength(length); }
                List<Thread> threads = new List<Thread>();
                for (int i = 0; i < workers; i++)
                {
                    Thread thread = new Thread(delegate() { Serve(file); });
                    thread.IsBackground = true;
                    thread.Start();
                    threads.Add(thread);
                }
                foreach (Thread thread in threads) { thread.Join(); }
                if (failure == null) { SaveMark(file, length); }
            }
            if (failure != null) { throw new IOException(failure); }
        }

        private void Serve(FileStream file)
        {
            byte[] buffer = new byte[PieceSize];
            try
            {
                while (true)
                {
                    int mine;
                    lock (gate)
                    {
                        if (failure != null || nextToFetch >= pieces.Count) { return; }
                        mine = nextToFetch++;
                    }
                    Fetch(pieces[mine], buffer);
                    if (!WriteInTurn(file, mine, buffer)) { return; }
                }
            }
            catch (Exception problem)
            {
                lock (gate)
                {
                    failure = failure ?? problem.Message;
                    Monitor.PulseAll(gate);
                }
            }
        }

        private void Fetch(Span piece, byte[] buffer)
        {
            for (int attempt = 1; ; attempt++)
            {
                string problem;
                try
                {
                    int status = Web.Range(url, piece.First, piece.Last, buffer, 120000);
                    if (status == 206) { return; }
                    problem = "the server answered " + status;
                    bool passing = status == 408 || status == 429 || status >= 500;
                    if (!passing) { attempt = Tries; }
                }
                catch (IOException lost) { problem = lost.Message; }
                catch (System.Net.WebException lost) { problem = lost.Message; }
                if (attempt >= Tries)
                {
                    throw new IOException("bytes " + piece.First + "-" + piece.Last + " of the snapshot: " + problem);
                }
                Thread.Sleep((int)(1000 * scale * Math.Min(60, Math.Pow(2, attempt - 1))));
            }
        }

        private bool WriteInTurn(FileStream file, int mine, byte[] buffer)
        {
            lock (gate)
            {
                while (nextToWrite != mine && failure == null) { Monitor.Wait(gate); }
                if (failure != null) { return false; }
                Span piece = pieces[mine];
                file.Position = piece.First;
                file.Write(buffer, 0, (int)piece.Count);
                nextToWrite++;
                unmarked += piece.Count;
                if (unmarked >= MarkEvery) { SaveMark(file, piece.Last + 1); }
                Monitor.PulseAll(gate);
            }
            Add(pieces[mine].Count);
            return true;
        }

        private void SaveMark(FileStream file, long mark)
        {
            file.Flush(true);
            unmarked = 0;
            Files.Replace(markPath, mark + " " + length);
        }
    }
}
