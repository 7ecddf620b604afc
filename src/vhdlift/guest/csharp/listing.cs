namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.IO;
    using System.Net;
    using System.Threading;
    using System.Xml;

    // All page ranges of a blob, asked for a window at a time: of a large blob as a whole the service can take longer than
    // the 30 seconds that it gives itself. A window that is not listed in three tries counts as written from end to end.
    public sealed class Listing : Work
    {
        private const long WindowSize = 17179869184;
        private const int Tries = 3;

        private readonly string url;
        private readonly long length;
        private readonly double scale;

        // Once finished; null when the server refuses to list them.
        public List<Span> Spans;

        // How many windows were not listed, and why the last one was not.
        public int Unlisted;
        public string Reason = "";

        public Listing(string url, long length, double scale)
        {
            this.url = url;
            this.length = length;
            this.scale = scale;
        }

        protected override void Do()
        {
            List<Span> found = new List<Span>();
            for (long first = 0; first < length; first += WindowSize)
            {
                Span window = new Span(first, Math.Min(length, first + WindowSize) - 1);
                List<Span> listed = Try(window);
                if (listed == null) { return; }
                foreach (Span span in listed)
                {
                    // What reaches over an edge belongs to the neighbour as well.
                    long from = Math.Max(span.First, window.First);
                    long to = Math.Min(span.Last, window.Last);
                    if (from <= to) { Pages.Append(found, from, to); }
                }
            }
            Spans = found;
        }

        // A server that has failed for three windows is asked once for each of the others: hours would go by otherwise.
        private List<Span> Try(Span window)
        {
            int tries = Unlisted < 3 ? Tries : 1;
            for (int attempt = 1; attempt <= tries; attempt++)
            {
                if (attempt > 1) { Thread.Sleep((int)(5000 * scale * attempt)); }
                try { return Ask(window); }
                catch (IOException lost) { Reason = lost.Message; }
                catch (WebException lost) { Reason = lost.Message; }
                catch (XmlException lost) { Reason = lost.Message; }
            }
            Unlisted++;
            return Pages.Whole(window.First, window.Last);
        }

        // Null when the server refuses.
        private List<Span> Ask(Span window)
        {
            List<Span> spans = new List<Span>();
            string marker = "";
            do
            {
                string next = url + (url.Contains("?") ? "&" : "?") + "comp=pagelist"
                    + (marker.Length > 0 ? "&marker=" + Uri.EscapeDataString(marker) : "");
                Dictionary<string, string> headers = new Dictionary<string, string>();
                headers["x-ms-version"] = Web.StorageVersion;
                headers["x-ms-range"] = "bytes=" + window.First + "-" + window.Last;
                Answer answer = Web.Send("GET", next, headers, null, 300000);
                if (answer.Status == 400 || answer.Status == 403 || answer.Status == 405 || answer.Status == 501) { return null; }
                if (!answer.Ok) { throw Failure(answer); }
                marker = Pages.Parse(answer.Body, spans);
            }
            while (marker.Length > 0);
            foreach (Span span in spans)
            {
                if (span.First < 0 || span.Last >= length)
                {
                    throw new InvalidDataException("a page range ends at " + span.Last + ", the disk has " + length + " bytes");
                }
            }
            return spans;
        }

        // One that passes is worth another try.
        private static Exception Failure(Answer answer)
        {
            string text = "the page ranges were not listed: " + answer.Summary;
            bool passing = answer.Status == 408 || answer.Status == 429 || answer.Status >= 500;
            return passing ? (Exception)new IOException(text) : new InvalidOperationException(text);
        }
    }
}
