// A program around the guest's C#, so that tests can run it under Mono: one command, text out.
namespace Harness
{
    using System;
    using System.Collections;
    using System.Collections.Generic;
    using System.IO;
    using System.Text;
    using System.Threading;
    using Vhdlift;

    public static class Program
    {
        public static int Main(string[] a)
        {
            try
            {
                Console.Out.Write(Run(a));
                return 0;
            }
            catch (Exception problem)
            {
                Console.Out.Write(problem.GetType().Name + ": " + problem.Message);
                return 1;
            }
        }

        private static string Run(string[] a)
        {
            switch (a[0])
            {
                case "footer": return Hex(Footer.Build(long.Parse(a[1]), Time(a[2]), Bin(a[3])));
                case "footer-write": Footer.Write(a[1], long.Parse(a[2]), Time(a[3]), Bin(a[4])); return "";
                case "footer-cuts": return Cuts(a[1], long.Parse(a[2]));
                case "footer-problem": return Footer.Read(a[1]).Problem;
                case "footer-size": return Footer.Read(a[1]).Size.ToString();
                case "layout": return Show(Layout.Read(a[1], long.Parse(a[2])));
                case "fit": Layout.Fit(a[1], long.Parse(a[2])); return "";
                case "ids": return string.Join(" ", Layout.Read(a[1], long.Parse(a[2])).Ids);
                case "set-ids": Layout.SetIds(a[1], long.Parse(a[2]), a[3].Split(' ')); return "";
                case "fresh-ids": return string.Join(" ", Identifiers.Fresh(a[1].Split(' ')));
                case "remount": byte[] value = Identifiers.Remount(Bin(a[1]), a[2].Split(' '), a[3].Split(' ')); return value == null ? "" : Hex(value);
                case "volumes": return Volumes(Layout.Read(a[1], long.Parse(a[2])));
                case "clean": return Clean(a);
                case "ends": Layout.SaveEnds(a[1], long.Parse(a[2]), a[3]); return "";
                case "crc": byte[] data = Encoding.ASCII.GetBytes(a[1]); return Bytes.Crc32(data, 0, data.Length).ToString("x8");
                case "parse": return Parse(a[1]);
                case "pages": return Fetch(a[1], long.Parse(a[2]), a[3]);
                case "mark": return Download.Mark(a[1], a[2], long.Parse(a[3])).ToString();
                case "download": return Wait(new Download(a[1], a[2], a[3], Pages.Load(a[4]), long.Parse(a[5]), int.Parse(a[6]), double.Parse(a[7])));
                case "hash": return HashWork.Of(a[1]);
                case "hash-work": HashWork work = new HashWork(a[1]); return Wait(work) + " " + work.Hex;
                case "sign": return Web.Sign(a[1], a[2], long.Parse(a[3]), Encoding.UTF8.GetBytes(a[4]));
                case "scrub": return Scrub(a);
                case "replace": Files.Replace(a[1], a[2]); return "";
                case "tail": return Files.Tail(a[1], int.Parse(a[2]));
                case "send": return Send(a);
                case "save": return Wait(new SaveWork(a[1], a[2]));
                case "native": return Start(a);
                default: throw new ArgumentException(a[0]);
            }
        }

        private static string Show(Layout layout)
        {
            return layout.Scheme + " " + layout.Partitions + " " + layout.BackupAtEnd + " " + layout.Problem;
        }

        private static string Volumes(Layout layout)
        {
            StringBuilder text = new StringBuilder(layout.Id + " " + layout.End + "\n");
            foreach (Volume v in layout.Volumes)
            {
                text.Append(v.Number + " " + v.Offset + " " + v.Size + " " + v.Kind + " " + v.Active + " " + v.IsRecovery + " " + v.Contents + "\n");
            }
            return text.ToString();
        }

        private static string Clean(string[] a)
        {
            string[] names = new string[a.Length - 2];
            Array.Copy(a, 2, names, 0, names.Length);
            Cleaner cleaner = new Cleaner(a[1], names);
            string end = Wait(cleaner);
            return end + cleaner.Refused + " " + cleaner.Freed + "\n" + string.Join("\n", cleaner.Removed);
        }

        private static string Parse(string path)
        {
            List<Span> spans = new List<Span>();
            string marker = Pages.Parse(File.ReadAllBytes(path), spans);
            return List(spans) + "|" + marker;
        }

        private static string Fetch(string url, long length, string path)
        {
            Listing listing = new Listing(url, length, 0.001);
            Wait(listing);
            if (listing.Error != "") { throw new IOException(listing.Error); }
            if (listing.Spans == null) { return "refused"; }
            Pages.Save(path, listing.Spans);
            return List(Pages.Load(path)) + (listing.Unlisted > 0 ? " " + listing.Unlisted + " unlisted: " + listing.Reason : "");
        }

        private static string List(List<Span> spans)
        {
            List<string> words = new List<string>();
            foreach (Span span in spans) { words.Add(span.First + "-" + span.Last); }
            return string.Join(" ", words);
        }

        private static string Wait(Work work)
        {
            work.Start();
            while (!work.Finished) { Thread.Sleep(5); }
            return work.Done + "/" + work.Total + " " + work.Error;
        }

        private static string Scrub(string[] a)
        {
            for (int i = 2; i < a.Length; i++) { Scrubber.Add(a[i]); }
            return Scrubber.Clean(a[1]);
        }

        private static string Send(string[] a)
        {
            Hashtable headers = new Hashtable();
            headers["Content-Type"] = "application/json";
            headers["x-ms-blob-type"] = "BlockBlob";
            Answer answer = Web.Send(a[1], a[2], headers, a.Length > 3 ? Encoding.UTF8.GetBytes(a[3]) : null, 5000);
            return answer.Summary + " " + answer.Ok + " " + answer.Header("Content-Length") + " " + answer.Text;
        }

        private static string Start(string[] a)
        {
            string[] arguments = new string[a.Length - 2];
            Array.Copy(a, 2, arguments, 0, arguments.Length);
            Hashtable environment = new Hashtable();
            environment["GIVEN"] = "from the guest";
            Native native = new Native(a[1], arguments, environment);
            Wait(native);
            StringBuilder text = new StringBuilder(native.ExitCode + native.Error + "\n");
            for (string line = native.NextLine(); line != null; line = native.NextLine()) { text.Append(line).Append('\n'); }
            return text.ToString();
        }

        // What a power cut after each write and each cut would leave: a footer at the file's end, or none.
        private static string Cuts(string path, long size)
        {
            using (Watched file = new Watched(path))
            {
                Footer.Write(file, size, Time("1800000000"), new byte[16]);
                return string.Join("\n", file.Seen);
            }
        }

        private static DateTime Time(string epoch) { return new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(long.Parse(epoch)); }

        private static string Hex(byte[] data) { return BitConverter.ToString(data).Replace("-", "").ToLowerInvariant(); }

        private static byte[] Bin(string hex)
        {
            byte[] data = new byte[hex.Length / 2];
            for (int i = 0; i < data.Length; i++) { data[i] = Convert.ToByte(hex.Substring(2 * i, 2), 16); }
            return data;
        }
    }

    public sealed class Watched : FileStream
    {
        public readonly List<string> Seen = new List<string>();
        private readonly string path;

        public Watched(string path) : base(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite) { this.path = path; }

        public override void Write(byte[] data, int at, int count)
        {
            base.Write(data, at, count);
            Look("wrote");
        }

        public override void SetLength(long length)
        {
            base.SetLength(length);
            Look("cut");
        }

        private void Look(string what)
        {
            Flush();
            Seen.Add(what + " " + Length + (Footer.Read(path).Problem == "" ? " sound" : " broken"));
        }
    }
}
