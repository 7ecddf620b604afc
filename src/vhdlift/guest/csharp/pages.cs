namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.Globalization;
    using System.IO;
    using System.Text;
    using System.Xml;

    // Bytes First to Last, both included, as Azure's page lists write them.
    public struct Span
    {
        public long First;
        public long Last;

        public Span(long first, long last)
        {
            First = first;
            Last = last;
        }

        public long Count { get { return Last - First + 1; } }
    }

    // Which pages of a page blob were ever written ("Get Page Ranges" of Azure's Blob service).
    public static class Pages
    {
        // One request for a hole costs more than the few bytes of it that are read as zeros.
        private const long SmallHole = 65536;

        // Adds the page ranges of one answer in rising order; returns the marker of the next part, or "".
        public static string Parse(byte[] xml, List<Span> into)
        {
            XmlReaderSettings settings = new XmlReaderSettings();
            settings.DtdProcessing = DtdProcessing.Prohibit;
            settings.IgnoreWhitespace = true;
            string marker = "";
            long first = -1;
            bool page = false;
            using (XmlReader reader = XmlReader.Create(new MemoryStream(xml), settings))
            {
                reader.Read();
                while (!reader.EOF)
                {
                    if (reader.NodeType != XmlNodeType.Element) { reader.Read(); continue; }
                    string name = reader.LocalName;
                    if (name == "Start") { first = reader.ReadElementContentAsLong(); }
                    else if (name == "End")
                    {
                        long last = reader.ReadElementContentAsLong();
                        if (page) { Append(into, first, last); }
                    }
                    else if (name == "NextMarker") { marker = reader.ReadElementContentAsString(); }
                    else { page = name == "PageRange"; reader.Read(); }
                }
            }
            return marker;
        }

        // All of a blob, or of a part of it, as one range: for a server that does not list pages.
        public static List<Span> Whole(long first, long last)
        {
            List<Span> spans = new List<Span>();
            spans.Add(new Span(first, last));
            return spans;
        }

        // The ranges cut into pieces of at most `size` bytes, without what lies below `mark`.
        public static List<Span> Pieces(List<Span> spans, long mark, int size)
        {
            List<Span> pieces = new List<Span>();
            foreach (Span span in spans)
            {
                for (long at = Math.Max(span.First, mark); at <= span.Last; at += size)
                {
                    pieces.Add(new Span(at, Math.Min(span.Last, at + size - 1)));
                }
            }
            return pieces;
        }

        public static long Sum(List<Span> spans)
        {
            long sum = 0;
            foreach (Span span in spans) { sum += span.Count; }
            return sum;
        }

        // One "first last" a line: a quarter of a million ranges are read back in a moment.
        public static void Save(string path, List<Span> spans)
        {
            StringBuilder text = new StringBuilder();
            foreach (Span span in spans) { text.Append(span.First).Append(' ').Append(span.Last).Append('\n'); }
            Files.Replace(path, text.ToString());
        }

        public static List<Span> Load(string path)
        {
            List<Span> spans = new List<Span>();
            foreach (string line in File.ReadAllLines(path))
            {
                string[] ends = line.Split(' ');
                spans.Add(new Span(long.Parse(ends[0], CultureInfo.InvariantCulture),
                    long.Parse(ends[1], CultureInfo.InvariantCulture)));
            }
            return spans;
        }

        // One more range behind those that are there.
        public static void Append(List<Span> into, long first, long last)
        {
            int end = into.Count - 1;
            if (end >= 0 && first <= into[end].Last) { throw new InvalidDataException("the page ranges do not rise"); }
            if (end >= 0 && first - into[end].Last - 1 < SmallHole) { into[end] = new Span(into[end].First, last); }
            else { into.Add(new Span(first, last)); }
        }
    }
}
