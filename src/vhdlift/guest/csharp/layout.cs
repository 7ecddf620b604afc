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

        // The disk's identifier: a GUID for GPT, 8 hexadecimal digits for MBR, as Get-Disk shows them.
        public string Id = "";

        // In the order of the table; MBR: the four primary entries only, an extended one holds the logical ones.
        public List<Volume> Volumes = new List<Volume>();

        // The disk's identifier, then those of its partitions in the order of the table; an MBR has none for these.
        public string[] Ids
        {
            get
            {
                List<string> ids = new List<string>();
                ids.Add(Id);
                foreach (Volume volume in Volumes) { if (volume.Id.Length > 0) { ids.Add(volume.Id); } }
                return ids.ToArray();
            }
        }

        // The first byte behind all partitions.
        public long End;
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
                foreach (Volume volume in layout.Volumes)
                {
                    if (layout.problems.Count == 0) { volume.Look(disk); }
                    layout.End = Math.Max(layout.End, volume.End);
                }
                if (layout.problems.Count == 0 && layout.Partitions == 0) { layout.problems.Add("there is no partition"); }
                return layout;
            }
        }

        // Makes the partition table right for a disk of `size` bytes: GPT or MBR. Refuses when a partition is in the way.
        public static void Fit(string path, long size)
        {
            using (FileStream disk = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
            {
                byte[] mbr = Bytes.Read(disk, 0, Bytes.Sector);
                if (IsProtective(mbr)) { WriteGpt(disk, Primary(disk, size), size); }
                else { AssertEnds(MbrEnd(mbr), size / Bytes.Sector - 1, size); }
            }
        }

        // Gives the disk and its partitions other identifiers, in the order of `Ids`. Two disks with one identifier
        // cannot be online in one Windows. Done again with the same ones, it mends what a crash left half written.
        public static void SetIds(string path, long size, string[] ids)
        {
            using (FileStream disk = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
            {
                byte[] mbr = Bytes.Read(disk, 0, Bytes.Sector);
                if (IsProtective(mbr))
                {
                    Gpt table = Whole(disk, size);
                    table.SetIds(ids);
                    WriteGpt(disk, table, size);
                    return;
                }
                Identifiers.Raw(ids[0]).CopyTo(mbr, 440);
                Bytes.Write(disk, 0, mbr);
                disk.Flush(true);
            }
        }

        // The primary GPT, with the entries of the backup at the end when WriteGpt was stopped while it wrote the primary's.
        private static Gpt Whole(Stream disk, long size)
        {
            long sectors = size / Bytes.Sector;
            Gpt table = Gpt.Read(disk, 1, sectors, "primary");
            if (table.Problems.Count == 0) { return table; }
            Gpt backup = Gpt.Read(disk, sectors - 1, sectors, "backup");
            if (backup.Problems.Count > 0 || backup.Entries.Length != table.Entries.Length)
            {
                throw new InvalidDataException(table.Problems[0]);
            }
            table.Entries = backup.Entries;
            return table;
        }

        private static Gpt Primary(Stream disk, long size)
        {
            Gpt table = Gpt.Read(disk, 1, size / Bytes.Sector, "primary");
            if (table.Problems.Count > 0) { throw new InvalidDataException(table.Problems[0]); }
            return table;
        }

        // Puts the backup GPT in the last sectors of a disk of `size` bytes, and makes both headers and the
        // protective MBR say so. The backup is on the disk before the primary is touched, so a crash leaves one whole.
        private static void WriteGpt(FileStream disk, Gpt table, long size)
        {
            long last = size / Bytes.Sector - 1;
            long usable = last - 1 - table.EntrySectors;
            AssertEnds(table.LastTaken(), usable, size);
            byte[] padded = new byte[table.EntrySectors * Bytes.Sector];
            table.Entries.CopyTo(padded, 0);
            Bytes.Write(disk, (usable + 1) * Bytes.Sector, padded);
            Bytes.Write(disk, last * Bytes.Sector, table.HeaderFor(last, 1, usable + 1, usable));
            disk.Flush(true);
            Bytes.Write(disk, table.EntriesAt * Bytes.Sector, table.Entries);
            Bytes.Write(disk, Bytes.Sector, table.HeaderFor(1, last, table.EntriesAt, usable));
            Bytes.Write(disk, 0, Protective(Bytes.Read(disk, 0, Bytes.Sector), last));
            disk.Flush(true);
        }

        private static void AssertEnds(long taken, long usable, long size)
        {
            if (taken <= usable) { return; }
            throw new InvalidDataException("a partition ends at sector " + taken + ", the last one that a disk of " + size
                + " bytes can use is " + usable);
        }

        private static long MbrEnd(byte[] mbr)
        {
            long end = 0;
            for (int at = 446; at < 510; at += 16)
            {
                if (mbr[at + 4] == 0) { continue; }
                end = Math.Max(end, (long)(Bytes.Little(mbr, at + 8, 4) + Bytes.Little(mbr, at + 12, 4)) - 1);
            }
            return end;
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
            Volumes = primary.Volumes();
            Partitions = Volumes.Count;
            Id = primary.DiskId;
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
            Id = Bytes.Little(mbr, 440, 4).ToString("x8");
            for (int at = 446; at < 510; at += 16)
            {
                if (mbr[at + 4] == 0) { continue; }
                Partitions++;
                long first = (long)Bytes.Little(mbr, at + 8, 4);
                long end = first + (long)Bytes.Little(mbr, at + 12, 4);
                string kind = mbr[at + 4].ToString("x2");
                Volumes.Add(new Volume((at - 446) / 16 + 1, first, end - 1, kind, mbr[at] == 0x80));
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
