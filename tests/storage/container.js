// Makes a container by the Blob service's own protocol: node container.js ENDPOINT ACCOUNT KEY CONTAINER
const crypto = require("crypto");
const http = require("http");

const [endpoint, account, key, container] = process.argv.slice(2);
const url = new URL(`${endpoint}/${account}/${container}?restype=container`);
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2023-11-03" };
const named = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
// The eleven standard headers, none of which is sent, stand between the method and ours.
const signed = `PUT\n${"\n".repeat(11)}${named}/${account}${url.pathname}\nrestype:container`;
const signature = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
headers.Authorization = `SharedKey ${account}:${signature}`;
headers["Content-Length"] = 0;
const request = http.request(url, { method: "PUT", headers }, (answer) => {
  answer.pipe(process.stderr);
  process.exitCode = [201, 409].includes(answer.statusCode) ? 0 : 1;
});
request.on("error", () => process.exit(1));
request.end();
