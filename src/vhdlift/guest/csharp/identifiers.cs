namespace Vhdlift
{
    using System;
    using System.Collections.Generic;
    using System.Globalization;
    using System.Text;

    // The identifiers of a disk and its partitions as text: a GUID, or 8 hexadecimal digits for an MBR disk.
    public static class Identifiers
    {
        // Random ones, as many and of the same kinds.
        public static string[] Fresh(string[] old)
        {
            List<string> fresh = new List<string>();
            foreach (string id in old)
            {
                string guid = Guid.NewGuid().ToString("D");
                fresh.Add(id.Length == 8 ? guid.Substring(0, 8) : guid);
            }
            return fresh.ToArray();
        }

        // The bytes on the disk: 16 of a GUID, 4 of an MBR disk.
        public static byte[] Raw(string id)
        {
            if (id.Length != 8) { return new Guid(id).ToByteArray(); }
            byte[] raw = new byte[4];
            Bytes.PutLittle(raw, 0, 4, uint.Parse(id, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            return raw;
        }

        // A value of the registry's key MountedDevices with the new identifier in the old one's place; null when it is of
        // another volume. It is "DMIO:ID:" and the partition's GUID, or begins with the identifier of an MBR disk.
        public static byte[] Remount(byte[] value, string[] old, string[] fresh)
        {
            for (int i = 0; i < old.Length; i++)
            {
                byte[] before = Mounted(old[i]);
                if (!StartsWith(value, before)) { continue; }
                byte[] after = (byte[])value.Clone();
                Mounted(fresh[i]).CopyTo(after, 0);
                return after;
            }
            return null;
        }

        private static byte[] Mounted(string id)
        {
            List<byte> bytes = new List<byte>();
            if (id.Length != 8) { bytes.AddRange(Encoding.ASCII.GetBytes("DMIO:ID:")); }
            bytes.AddRange(Raw(id));
            return bytes.ToArray();
        }

        private static bool StartsWith(byte[] value, byte[] head)
        {
            if (value.Length < head.Length) { return false; }
            for (int i = 0; i < head.Length; i++) { if (value[i] != head[i]) { return false; } }
            return true;
        }
    }
}
