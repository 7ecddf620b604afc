namespace Vhdlift
{
    using System;
    using System.Collections;
    using System.IO;
    using System.Net;
    using System.Security.Cryptography;
    using System.Text;

    // What a server answered; any status is an answer, only "no answer" is an exception.
    public sealed class Answer
    {
        public int Status;
        public byte[] Body = new byte[0];
        public WebHeaderCollection Headers = new WebHeaderCollection();

        public bool Ok { get { return Status >= 200 && Status < 300; } }

        public string Text { get { return Encoding.UTF8.GetString(Body); } }

        // The header's value, or an empty string.
        public string Header(string name) { return Headers[name] ?? ""; }

        // The status, with Azure's error code where there is one.
        public string Summary
        {
            get
            {
                string code = Header("x-ms-error-code");
                return code.Length > 0 ? Status + " " + code : Status.ToString();
            }
        }
    }

    public static class Web
    {
        public const string StorageVersion = "2021-12-02";
        private const string Agent = "vhdlift-guest/1";

        // One request and its whole answer: for small bodies only.
        public static Answer Send(string method, string url, IDictionary headers, byte[] body, int timeoutMs)
        {
            return Send(Request(method, url, timeoutMs), headers, body);
        }

        // The same to a program on this machine, which has a certificate of its own making.
        public static Answer SendLocal(string method, string url, IDictionary headers, byte[] body, int timeoutMs)
        {
            HttpWebRequest request = Request(method, url, timeoutMs);
            if (!request.RequestUri.IsLoopback) { throw new ArgumentException(request.RequestUri.Host + " is another machine"); }
            request.ServerCertificateValidationCallback = delegate { return true; };
            return Send(request, headers, body);
        }

        private static Answer Send(HttpWebRequest request, IDictionary headers, byte[] body)
        {
            if (headers != null)
            {
                foreach (DictionaryEntry header in headers)
                {
                    string name = (string)header.Key;
                    string value = Convert.ToString(header.Value);
                    if (name.ToLowerInvariant() == "content-type") { request.ContentType = value; }
                    else { request.Headers[name] = value; }
                }
            }
            if (body != null)
            {
                request.ContentLength = body.Length;
                using (Stream stream = request.GetRequestStream()) { stream.Write(body, 0, body.Length); }
            }
            using (HttpWebResponse response = Respond(request))
            {
                Answer answer = new Answer();
                answer.Status = (int)response.StatusCode;
                answer.Headers = response.Headers;
                using (MemoryStream memory = new MemoryStream())
                {
                    response.GetResponseStream().CopyTo(memory);
                    answer.Body = memory.ToArray();
                }
                return answer;
            }
        }

        // Bytes `first` to `last` (both included) of the resource into `buffer`; the status, 206 when all came.
        public static int Range(string url, long first, long last, byte[] buffer, int timeoutMs)
        {
            HttpWebRequest request = Request("GET", url, timeoutMs);
            request.Headers["x-ms-version"] = StorageVersion;
            request.AddRange(first, last);
            using (HttpWebResponse response = Respond(request))
            {
                if (response.StatusCode != HttpStatusCode.PartialContent) { return (int)response.StatusCode; }
                string said = response.Headers["Content-Range"] ?? "";
                if (!said.StartsWith("bytes " + first + "-" + last + "/", StringComparison.Ordinal))
                {
                    throw new IOException("asked for bytes " + first + "-" + last + ", the answer holds " + said);
                }
                int want = (int)(last - first + 1);
                int have = 0;
                Stream stream = response.GetResponseStream();
                while (have < want)
                {
                    int got = stream.Read(buffer, have, want - have);
                    if (got == 0) { throw new IOException("the answer ended after " + have + " of " + want + " bytes"); }
                    have += got;
                }
                return 206;
            }
        }

        // A download straight to a file; `tell` hears of every piece.
        public static void Save(string url, string path, int timeoutMs, Action<long, long> tell)
        {
            HttpWebRequest request = Request("GET", url, timeoutMs);
            request.AllowAutoRedirect = true;
            using (HttpWebResponse response = Respond(request))
            {
                if (response.StatusCode != HttpStatusCode.OK)
                {
                    throw new IOException("the server answered " + (int)response.StatusCode);
                }
                byte[] buffer = new byte[65536];
                Stream stream = response.GetResponseStream();
                using (FileStream file = new FileStream(path, FileMode.Create, FileAccess.Write))
                {
                    int got;
                    while ((got = stream.Read(buffer, 0, buffer.Length)) > 0)
                    {
                        file.Write(buffer, 0, got);
                        tell(got, response.ContentLength);
                    }
                }
                if (response.ContentLength >= 0 && new FileInfo(path).Length != response.ContentLength)
                {
                    throw new IOException("the answer ended before its " + response.ContentLength + " bytes");
                }
            }
        }

        // The signature header of the Standard Webhooks specification: HMAC-SHA256 over "id.timestamp.body".
        // A secret is base64, with or without the prefix whsec_; one that is not base64 is taken as it is.
        public static string Sign(string secret, string id, long timestamp, byte[] body)
        {
            string bare = secret.StartsWith("whsec_", StringComparison.Ordinal) ? secret.Substring(6) : secret;
            byte[] key;
            try { key = Convert.FromBase64String(bare); }
            catch (FormatException) { key = Encoding.UTF8.GetBytes(bare); }
            byte[] head = Encoding.UTF8.GetBytes(id + "." + timestamp + ".");
            byte[] message = new byte[head.Length + body.Length];
            head.CopyTo(message, 0);
            body.CopyTo(message, head.Length);
            using (HMACSHA256 mac = new HMACSHA256(key)) { return "v1," + Convert.ToBase64String(mac.ComputeHash(message)); }
        }

        private static HttpWebRequest Request(string method, string url, int timeoutMs)
        {
            HttpWebRequest request = (HttpWebRequest)WebRequest.Create(url);
            request.Method = method;
            request.Timeout = timeoutMs;
            request.ReadWriteTimeout = timeoutMs;
            request.UserAgent = Agent;
            request.AllowAutoRedirect = false;
            request.ServicePoint.Expect100Continue = false;
            request.ServicePoint.ConnectionLimit = 64;
            return request;
        }

        private static HttpWebResponse Respond(HttpWebRequest request)
        {
            try { return (HttpWebResponse)request.GetResponse(); }
            catch (WebException problem)
            {
                HttpWebResponse response = problem.Response as HttpWebResponse;
                if (response == null) { throw new IOException("no answer from " + request.RequestUri.Host + ": " + problem.Message); }
                return response;
            }
        }
    }

    // A download of a program, told about like all long work.
    public sealed class SaveWork : Work
    {
        private readonly string url;
        private readonly string path;

        public SaveWork(string url, string path)
        {
            this.url = url;
            this.path = path;
        }

        protected override void Do()
        {
            Web.Save(url, path, 120000, delegate(long got, long total)
            {
                Total = Math.Max(0, total);
                Add(got);
            });
        }
    }
}
