// A peer of the gateway: Node's own http, Promise.all, and a merge of objects. PORT PROCESSES SERVICE...
import cluster from "node:cluster";
import http from "node:http";

const [port, processes, ...services] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024, scheduling: "lifo" });

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function merge(into, other) {
  for (const key in other) {
    if (isObject(other[key]) && isObject(into[key])) merge(into[key], other[key]);
    else into[key] = other[key];
  }
}

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function ask(service, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const options = { agent, host: "127.0.0.1", port: service, path, method: "POST", headers };
    const request = http.request(options, (reply) => {
      read(reply).then((bytes) => resolve([reply.statusCode, reply.headers["content-type"] ?? "", bytes]), reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function hook(request) {
  const body = await read(request);
  const replies = await Promise.all(services.map((service) => ask(service, request.url, body)));
  let merged, last;
  for (const [status, kind, bytes] of replies) {
    if (status > 400) return [status, kind, bytes];
    if (status === 200 && kind.startsWith("application/json")) {
      const document = JSON.parse(bytes);
      if (merged) merge(merged, document);
      else merged = document;
    } else if (status === 200) last = [status, kind, bytes];
  }
  if (merged) return [200, "application/json", Buffer.from(JSON.stringify(merged))];
  return last ?? [204];
}

if (cluster.isPrimary && processes > 1) {
  for (let nth = 0; nth < processes; nth++) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill();
    process.exit(0);
  });
} else {
  const server = http.createServer((request, response) => {
    hook(request).then(
      ([status, kind, body]) => {
        const headers = body ? { "content-type": kind, "content-length": body.length } : {};
        response.writeHead(status, headers).end(body);
      },
      (error) => response.writeHead(502).end(String(error)),
    );
  });
  server.keepAliveTimeout = 600_000;
  server.listen(port, "127.0.0.1", 4096);
}
