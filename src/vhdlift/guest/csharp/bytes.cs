namespace Vhdlift
{
    using System;
    using System.IO;

    // Numbers in byte arrays (a VHD is big-endian, GPT and MBR are little-endian) and CRC-32.
    public static class Bytes
    {
        public const int Sector = 512;
        public const long MiB = 1048576;
        private static readonly uint[] Table = MakeTable();

        public static ulong Big(byte[] data, int at, int count)
        {
            ulong value = 0;
            for (int i = 0; i < count; i++) { value = (value << 8) | data[at + i]; }
            return value;
        }

        public static void PutBig(byte[] data, int at, int count, ulong value)
        {
            for (int i = count - 1; i >= 0; i--) { data[at + i] = (byte)value; value >>= 8; }
        }

        public static ulong Little(byte[] data, int at, int count)
        {
            ulong value = 0;
            for (int i = count - 1; i >= 0; i--) { value = (value << 8) | data[at + i]; }
            return value;
        }

        public static void PutLittle(byte[] data, int at, int count, ulong value)
        {
            for (int i = 0; i < count; i++) { data[at + i] = (byte)value; value >>= 8; }
        }

        // CRC-32 as in IEEE 802.3, which the UEFI specification names for GPT.
        public static uint Crc32(byte[] data, int at, int count)
        {
            uint crc = 0xFFFFFFFF;
            for (int i = at; i < at + count; i++) { crc = Table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8); }
            return ~crc;
        }

        // Exactly `count` bytes at `at`, or an error: a short read is never data.
        public static byte[] Read(Stream stream, long at, int count)
        {
            byte[] data = new byte[count];
            stream.Position = at;
            int have = 0;
            while (have < count)
            {
                int got = stream.Read(data, have, count - have);
                if (got == 0)
                {
                    throw new EndOfStreamException(
                        "the file ends at byte " + (at + have) + ", expected " + count + " bytes at " + at);
                }
                have += got;
            }
            return data;
        }

        public static void Write(Stream stream, long at, byte[] data)
        {
            stream.Position = at;
            stream.Write(data, 0, data.Length);
        }

        private static uint[] MakeTable()
        {
            uint[] table = new uint[256];
            for (uint n = 0; n < 256; n++)
            {
                uint crc = n;
                for (int bit = 0; bit < 8; bit++) { crc = (crc & 1) != 0 ? 0xEDB88320 ^ (crc >> 1) : crc >> 1; }
                table[n] = crc;
            }
            return table;
        }
    }
}
