namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.IO;
    using System.Text;

    // One GPT header with its entries (UEFI specification, chapter 5), as read from a disk image.
    public sealed class Gpt
    {
        private const int Smallest = 92;
        private const int MostEntryBytes = 1048576;

        public byte[] Header;
        public byte[] Entries;
        public long At;
        public List<string> Problems = new List<string>();

        public long Alternate { get { return (long)Bytes.Little(Header, 32, 8); } }

        public long LastUsable { get { return (long)Bytes.Little(Header, 48, 8); } }

        public long EntriesAt { get { return (long)Bytes.Little(Header, 72, 8); } }

        public int EntrySectors { get { return (Entries.Length + Bytes.Sector - 1) / Bytes.Sector; } }

        // The header at sector `at`, with what is wrong with it; `name` is how messages call it.
        public static Gpt Read(Stream disk, long at, long sectors, string name)
        {
            Gpt table = new Gpt();
            table.At = at;
            table.Entries = new byte[0];
            table.Header = Bytes.Read(disk, at * Bytes.Sector, Bytes.Sector);
            if (Encoding.ASCII.GetString(table.Header, 0, 8) != "EFI PART")
            {
                table.Problems.Add("the " + name + " GPT header is missing");
                return table;
            }
            table.CheckHeader(name);
            if (table.Problems.Count == 0) { table.ReadEntries(disk, sectors, name); }
            return table;
        }

        private void CheckHeader(string name)
        {
            int length = (int)Bytes.Little(Header, 12, 4);
            if (length < Smallest || length > Bytes.Sector)
            {
                Problems.Add("the " + name + " GPT header says it is " + length + " bytes long");
                return;
            }
            if ((uint)Bytes.Little(Header, 16, 4) != Sum(Header))
            {
                Problems.Add("the " + name + " GPT header's CRC is wrong");
            }
            if ((long)Bytes.Little(Header, 24, 8) != At)
            {
                Problems.Add("the " + name + " GPT header does not say the sector it is at");
            }
        }

        private void ReadEntries(Stream disk, long sectors, string name)
        {
            long count = (long)Bytes.Little(Header, 80, 4);
            long size = (long)Bytes.Little(Header, 84, 4);
            long total = count * size;
            if (size < 128 || total > MostEntryBytes || EntriesAt < 1 || EntriesAt * Bytes.Sector + total > sectors * Bytes.Sector)
            {
                Problems.Add("the " + name + " GPT has " + count + " entries of " + size + " bytes at sector " + EntriesAt);
                return;
            }
            Entries = Bytes.Read(disk, EntriesAt * Bytes.Sector, (int)total);
            if ((uint)Bytes.Little(Header, 88, 4) != Bytes.Crc32(Entries, 0, Entries.Length))
            {
                Problems.Add("the CRC of the " + name + " GPT's entries is wrong");
            }
            CheckEntries(name, (int)size);
        }

        private void CheckEntries(string name, int size)
        {
            long first = (long)Bytes.Little(Header, 40, 8);
            for (int at = 0; at + size <= Entries.Length; at += size)
            {
                if (IsUnused(at)) { continue; }
                long start = (long)Bytes.Little(Entries, at + 32, 8);
                long end = (long)Bytes.Little(Entries, at + 40, 8);
                if (start < first || end < start || end > LastUsable)
                {
                    Problems.Add("partition " + (at / size + 1) + " of the " + name + " GPT, sectors " + start + "-" + end
                        + ", lies outside " + first + "-" + LastUsable);
                }
            }
        }

        // The partitions in use, numbered as Windows does by their order in the table from 1.
        public List<Volume> Volumes()
        {
            List<Volume> found = new List<Volume>();
            int size = (int)Bytes.Little(Header, 84, 4);
            for (int at = 0; at + size <= Entries.Length; at += size)
            {
                if (IsUnused(at)) { continue; }
                long first = (long)Bytes.Little(Entries, at + 32, 8);
                long last = (long)Bytes.Little(Entries, at + 40, 8);
                Volume volume = new Volume(at / size + 1, first, last, Text(Entries, at), false);
                volume.Id = Text(Entries, at + 16);
                found.Add(volume);
            }
            return found;
        }

        public string DiskId { get { return Text(Header, 56); } }

        // The disk's identifier, then one for each partition in use, in the order of the table.
        public void SetIds(string[] ids)
        {
            int size = (int)Bytes.Little(Header, 84, 4);
            int next = 0;
            Identifiers.Raw(ids[next++]).CopyTo(Header, 56);
            for (int at = 0; at + size <= Entries.Length; at += size)
            {
                if (!IsUnused(at)) { Identifiers.Raw(ids[next++]).CopyTo(Entries, at + 16); }
            }
        }

        private static string Text(byte[] data, int at)
        {
            byte[] id = new byte[16];
            Array.Copy(data, at, id, 0, 16);
            return new Guid(id).ToString("D");
        }

        // The last sector that any partition takes.
        public long LastTaken()
        {
            int size = (int)Bytes.Little(Header, 84, 4);
            long last = 0;
            for (int at = 0; at + size <= Entries.Length; at += size)
            {
                if (!IsUnused(at)) { last = Math.Max(last, (long)Bytes.Little(Entries, at + 40, 8)); }
            }
            return last;
        }

        // This table's header, placed at sector `at` of a disk of `sectors`, with both CRCs right.
        public byte[] HeaderFor(long at, long alternate, long entriesAt, long lastUsable)
        {
            byte[] header = (byte[])Header.Clone();
            Bytes.PutLittle(header, 24, 8, (ulong)at);
            Bytes.PutLittle(header, 32, 8, (ulong)alternate);
            Bytes.PutLittle(header, 48, 8, (ulong)lastUsable);
            Bytes.PutLittle(header, 72, 8, (ulong)entriesAt);
            Bytes.PutLittle(header, 88, 4, Bytes.Crc32(Entries, 0, Entries.Length));
            Bytes.PutLittle(header, 16, 4, Sum(header));
            return header;
        }

        private bool IsUnused(int at)
        {
            for (int i = 0; i < 16; i++) { if (Entries[at + i] != 0) { return false; } }
            return true;
        }

        private static uint Sum(byte[] header)
        {
            int length = (int)Bytes.Little(header, 12, 4);
            byte[] copy = new byte[length];
            Array.Copy(header, copy, length);
            Bytes.PutLittle(copy, 16, 4, 0);
            return Bytes.Crc32(copy, 0, length);
        }
    }
}
