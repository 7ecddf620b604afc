namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.IO;
    using System.Text;

    // The last 512 bytes of a VHD ("Virtual Hard Disk Image Format Specification", Microsoft 2006).
    public sealed class Footer
    {
        public const int Length = 512;
        public const int Fixed = 2;

        private readonly byte[] raw;
        private readonly long fileLength;

        private Footer(byte[] raw, long fileLength)
        {
            this.raw = raw;
            this.fileLength = fileLength;
        }

        public long Size { get { return (long)Bytes.Big(raw, 48, 8); } }

        public int DiskType { get { return (int)Bytes.Big(raw, 60, 4); } }

        public string Creator { get { return Encoding.ASCII.GetString(raw, 28, 4); } }

        public byte[] Raw { get { return (byte[])raw.Clone(); } }

        public static Footer Read(string path)
        {
            using (FileStream file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                if (file.Length < Length) { throw new InvalidDataException("the file is shorter than a VHD footer"); }
                return new Footer(Bytes.Read(file, file.Length - Length, Length), file.Length);
            }
        }

        // Every rule that a fixed VHD for Azure must keep and this file breaks; empty when it keeps them all.
        public string Problem { get { return string.Join("; ", Problems()); } }

        private List<string> Problems()
        {
            List<string> found = new List<string>();
            if (Encoding.ASCII.GetString(raw, 0, 8) != "conectix")
            {
                found.Add("the last 512 bytes are not a VHD footer (the cookie conectix is missing)");
                return found;
            }
            uint stored = (uint)Bytes.Big(raw, 64, 4);
            uint counted = Checksum(raw);
            if (stored != counted) { found.Add("the footer's checksum is " + stored + ", counted " + counted); }
            if (DiskType != Fixed) { found.Add("the footer says disk type " + DiskType + ", a fixed disk has 2"); }
            if (Size + Length != fileLength)
            {
                found.Add("the footer says " + Size + " bytes, the file holds " + (fileLength - Length) + " before it");
            }
            if (Size <= 0 || Size % Bytes.MiB != 0) { found.Add("the disk's size " + Size + " is not whole MiB"); }
            return found;
        }

        // The footer of a fixed disk of `size` bytes; `id` are the 16 bytes of its unique id.
        // The creator is "win ": qemu and others take the rounded CHS size for creators they do not know.
        public static byte[] Build(long size, DateTime utc, byte[] id)
        {
            byte[] raw = new byte[Length];
            Encoding.ASCII.GetBytes("conectix").CopyTo(raw, 0);
            Bytes.PutBig(raw, 8, 4, 2);
            Bytes.PutBig(raw, 12, 4, 0x00010000);
            Bytes.PutBig(raw, 16, 8, ulong.MaxValue);
            DateTime epoch = new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);
            Bytes.PutBig(raw, 24, 4, (ulong)Math.Max(0, (long)(utc - epoch).TotalSeconds));
            Encoding.ASCII.GetBytes("win ").CopyTo(raw, 28);
            Bytes.PutBig(raw, 32, 4, 0x000A0000);
            Encoding.ASCII.GetBytes("Wi2k").CopyTo(raw, 36);
            Bytes.PutBig(raw, 40, 8, (ulong)size);
            Bytes.PutBig(raw, 48, 8, (ulong)size);
            Bytes.PutBig(raw, 56, 4, Geometry(size));
            Bytes.PutBig(raw, 60, 4, Fixed);
            id.CopyTo(raw, 68);
            Bytes.PutBig(raw, 64, 4, Checksum(raw));
            return raw;
        }

        // Makes the file a fixed VHD of `size` bytes: cut or grown to it, with a new footer. Can be redone.
        public static void Write(string path, long size, DateTime utc, byte[] id)
        {
            using (FileStream file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
            {
                Write(file, size, utc, id);
            }
        }

        // The footer is on the disk before the file is cut behind it, so a power cut never leaves a file without one:
        // Windows would refuse to look at it.
        public static void Write(FileStream file, long size, DateTime utc, byte[] id)
        {
            Bytes.Write(file, size, Build(size, utc, id));
            file.Flush(true);
            file.SetLength(size + Length);
            file.Flush(true);
        }

        // Cylinders, heads and sectors as the specification's appendix computes them.
        private static uint Geometry(long size)
        {
            long total = Math.Min(size / Bytes.Sector, 65535L * 16 * 255);
            long sectors = 255;
            long heads = 16;
            long rest = total / sectors;
            if (total < 65535L * 16 * 63)
            {
                sectors = 17;
                rest = total / sectors;
                heads = Math.Max(4, (rest + 1023) / 1024);
                if (rest >= heads * 1024 || heads > 16) { sectors = 31; heads = 16; rest = total / sectors; }
                if (rest >= heads * 1024) { sectors = 63; heads = 16; rest = total / sectors; }
            }
            return (uint)(((rest / heads) << 16) | (heads << 8) | sectors);
        }

        private static uint Checksum(byte[] raw)
        {
            uint sum = 0;
            for (int i = 0; i < raw.Length; i++) { if (i < 64 || i > 67) { sum += raw[i]; } }
            return ~sum;
        }
    }
}
