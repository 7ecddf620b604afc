namespace Vhdlift
{
    using System;
    using System.Collections;
    using System.Collections.Concurrent;
    using System.Diagnostics;
    using System.Text;

    // A native program without a window, its lines read as they come. PowerShell's own redirection turns a
    // program's standard error into errors that end the script, and .NET Framework does not quote arguments.
    public sealed class Native : Work
    {
        private readonly ProcessStartInfo start;
        private readonly ConcurrentQueue<string> lines = new ConcurrentQueue<string>();

        public Native(string file, string[] arguments, IDictionary environment)
        {
            StringBuilder line = new StringBuilder();
            foreach (string argument in arguments) { line.Append(line.Length > 0 ? " " : "").Append(Quote(argument)); }
            start = new ProcessStartInfo(file, line.ToString());
            start.UseShellExecute = false;
            start.CreateNoWindow = true;
            start.RedirectStandardOutput = true;
            start.RedirectStandardError = true;
            start.RedirectStandardInput = true;
            foreach (DictionaryEntry pair in environment)
            {
                start.EnvironmentVariables[(string)pair.Key] = Convert.ToString(pair.Value);
            }
            ExitCode = -1;
        }

        public int ExitCode { get; private set; }

        // What the program reads from its standard input, such as a password, which no argument may hold.
        public string Text = "";

        // The next line the program wrote, scrubbed; null when there is none now.
        public string NextLine()
        {
            string line;
            return lines.TryDequeue(out line) ? Scrubber.Clean(line) : null;
        }

        // As CommandLineToArgvW and the C runtime take a command line apart.
        public static string Quote(string argument)
        {
            if (argument.Length > 0 && argument.IndexOfAny(new char[] { ' ', '\t', '"', '\\' }) < 0) { return argument; }
            StringBuilder quoted = new StringBuilder("\"");
            int slashes = 0;
            foreach (char c in argument)
            {
                if (c == '\\') { slashes++; continue; }
                quoted.Append('\\', c == '"' ? 2 * slashes + 1 : slashes).Append(c);
                slashes = 0;
            }
            return quoted.Append('\\', 2 * slashes).Append('"').ToString();
        }

        protected override void Do()
        {
            using (Process process = new Process())
            {
                process.StartInfo = start;
                process.OutputDataReceived += Keep;
                process.ErrorDataReceived += Keep;
                process.Start();
                process.BeginOutputReadLine();
                process.BeginErrorReadLine();
                process.StandardInput.Write(Text);
                process.StandardInput.Close();
                process.WaitForExit();
                ExitCode = process.ExitCode;
            }
        }

        private void Keep(object sender, DataReceivedEventArgs received)
        {
            if (received.Data != null) { lines.Enqueue(received.Data); }
        }
    }
}
