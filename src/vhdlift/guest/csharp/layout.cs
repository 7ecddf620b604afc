namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.IO;

    // How the disk inside a VHD file is divided: GPT (both copies looked at) or MBR.
    public sealed class Layout
    {
        public string Scheme = "";
        public int Partitions;
        public bool BackupAtEnd;
        private readonly List<string> problems = new List<string>();

        // What is wrong with it; empty when nothing is.
        public string Problem { get { return string.Join("; ", problems); } }

        // Looks at the first `size` bytes of the file; changes nothing.
        public static Layout Read(string path, long size)
        {
            using (FileStream disk = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                Layout layout = new Layout();
                byte[] mbr = Bytes.Read(disk, 0, Bytes.Sector);
                if (mbr[510] != 0x55 || mbr[511] != 0xAA)
                {
                    layout.problems.Add("the first sector has no boot signature: this is not a partitioned disk");
                    return layout;
                }
                if (IsProtective(mbr)) { layout.ReadGpt(disk, size / Bytes.Sector); }
                else { layout.ReadMbr(mbr, size / Bytes.Sector); }
                if (layout.problems.Count == 0 && layout.Partitions == 0) { layout.problems.Add("there is no partition"); }
                return layout;
            }
        }

        // Puts the backup GPT in the last sectors of a disk of `size` bytes, and makes both headers and the
        // protective MBR say so. The backup is written before the primary, so a crash leaves one that is whole.
        public static void FitGpt(string path, long size)
        {
            using (FileStream disk = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
            {
                long last = size / Bytes.Sector - 1;
                Gpt table = Gpt.Read(disk, 1, last + 1, "primary");
                if (table.Problems.Count > 0) { throw new InvalidDataException(table.Problems[0]); }
                long usable = last - 1 - table.EntrySectors;
                if (table.LastTaken() > usable)
                {
                    throw new InvalidDataException("a partition ends at sector " + table.LastTaken()
                        + ", the last one that a disk of " + size + " bytes can use is " + usable);
                }
                Bytes.Write(disk, (usable + 1) * Bytes.Sector, table.Entries);
                Bytes.Write(disk, last * Bytes.Sector, table.HeaderFor(last, 1, usable + 1, usable));
                disk.Flush(true);
                Bytes.Write(disk, Bytes.Sector, table.HeaderFor(1, last, table.EntriesAt, usable));
                Bytes.Write(disk, 0, Protective(Bytes.Read(disk, 0, Bytes.Sector), last));
                disk.Flush(true);
            }
        }

        // The first and the last 34 sectors (MBR, GPT, entries) and the footer, one after the other.
        public static void SaveEnds(string path, long size, string copy)
        {
            int ends = 34 * Bytes.Sector;
            using (FileStream disk = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            using (FileStream file = new FileStream(copy + ".new", FileMode.Create, FileAccess.Write))
            {
                file.Write(Bytes.Read(disk, 0, ends), 0, ends);
                file.Write(Bytes.Read(disk, size - ends, ends + Footer.Length), 0, ends + Footer.Length);
                file.Flush(true);
            }
            File.Move(copy + ".new", copy);
        }

        private static bool IsProtective(byte[] mbr)
        {
            for (int i = 0; i < 4; i++) { if (mbr[446 + 16 * i + 4] == 0xEE) { return true; } }
            return false;
        }

        private static byte[] Protective(byte[] mbr, long last)
        {
            for (int at = 446; at < 510; at += 16)
            {
                if (mbr[at + 4] == 0xEE) { Bytes.PutLittle(mbr, at + 12, 4, (ulong)Math.Min(last, 0xFFFFFFFFL)); }
            }
            return mbr;
        }

        private void ReadGpt(Stream disk, long sectors)
        {
            Scheme = "gpt";
            Gpt primary = Gpt.Read(disk, 1, sectors, "primary");
            problems.AddRange(primary.Problems);
            if (problems.Count > 0) { return; }
            Partitions = primary.Partitions();
            if (primary.Alternate < 2 || primary.Alternate >= sectors)
            {
                problems.Add("the backup GPT is said to be at sector " + primary.Alternate + " of " + sectors);
                return;
            }
            BackupAtEnd = primary.Alternate == sectors - 1;
            Gpt backup = Gpt.Read(disk, primary.Alternate, sectors, "backup");
            problems.AddRange(backup.Problems);
            if (backup.Problems.Count == 0 && !Same(primary.Entries, backup.Entries))
            {
                problems.Add("the entries of the primary and the backup GPT differ");
            }
        }

        private void ReadMbr(byte[] mbr, long sectors)
        {
            Scheme = "mbr";
            BackupAtEnd = true;
            for (int at = 446; at < 510; at += 16)
            {
                if (mbr[at + 4] == 0) { continue; }
                Partitions++;
                long end = (long)(Bytes.Little(mbr, at + 8, 4) + Bytes.Little(mbr, at + 12, 4));
                if (end > sectors)
                {
                    problems.Add("an MBR partition ends at sector " + end + ", the disk has " + sectors);
                }
            }
        }

        private static bool Same(byte[] left, byte[] right)
        {
            if (left.Length != right.Length) { return false; }
            for (int i = 0; i < left.Length; i++) { if (left[i] != right[i]) { return false; } }
            return true;
        }
    }
}
