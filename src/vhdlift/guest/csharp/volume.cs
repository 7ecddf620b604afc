namespace Vhdlift
{
    using System;
    using System.IO;
    using System.Text;

    // One partition: where it lies and what is in it, by the first sector of its contents.
    public sealed class Volume
    {
        public const string Efi = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
        public const string Recovery = "de94bba4-06d1-4d40-a16a-bfd50179d6ac";

        public readonly int Number;
        public readonly string Kind;
        public readonly bool Active;

        // Its own GUID; nothing on an MBR disk.
        public string Id = "";

        // "ntfs", "fat", "bitlocker", "refs", or nothing when it is none of them.
        public string Contents = "";
        private readonly long first;
        private readonly long last;

        // Sectors `first` to `last`; `kind` is the type's GUID, or two hexadecimal digits on an MBR disk.
        public Volume(int number, long first, long last, string kind, bool active)
        {
            Number = number;
            this.first = first;
            this.last = last;
            Kind = kind;
            Active = active;
        }

        // In bytes of the disk, as Get-Partition shows them.
        public long Offset { get { return first * Bytes.Sector; } }

        public long End { get { return (last + 1) * Bytes.Sector; } }

        public long Size { get { return End - Offset; } }

        // MBR type 0x27 is a hidden NTFS, which Windows uses for its recovery environment.
        public bool IsRecovery { get { return Kind == Recovery || Kind == "27"; } }

        // BitLocker and Azure Disk Encryption put -FVE-FS- where NTFS has its name ("BitLocker Drive Encryption
        // (BDE) format specification", J. Metz).
        public void Look(Stream disk)
        {
            string name = Encoding.ASCII.GetString(Bytes.Read(disk, Offset, Bytes.Sector), 0, 11).Substring(3);
            if (name == "-FVE-FS-") { Contents = "bitlocker"; }
            else if (name == "NTFS    ") { Contents = "ntfs"; }
            else if (name.StartsWith("MSDOS", StringComparison.Ordinal) || name.StartsWith("MSWIN", StringComparison.Ordinal)) { Contents = "fat"; }
            else if (name.StartsWith("ReFS", StringComparison.Ordinal)) { Contents = "refs"; }
        }
    }
}
