// Signs requests without sending them, with the signer of the AWS SDK for JavaScript: `sign.js REGION` reads and writes
// the lines that ../signers.py describes.
"use strict";

const { createHash, createHmac } = require("node:crypto");
const readline = require("node:readline");
const { SignatureV4 } = require("@smithy/signature-v4");

const region = process.argv[2];

class Sha256 {
  constructor(secret) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  }

  update(data) {
    this.hash.update(data);
  }

  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

// A query as the SDK has it before it writes it.
function bag(query) {
  const found = {};
  for (const pair of query ? query.split("&") : []) {
    const [name, value = ""] = pair.split("=").map(decodeURIComponent);
    found[name] = name in found ? [found[name], value].flat() : value;
  }
  return found;
}

// As the SDK writes it.
function encoded(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

function written(query) {
  const names = Object.keys(query).sort();
  return names.flatMap((name) => [query[name]].flat().map((value) => `${encoded(name)}=${encoded(value)}`)).join("&");
}

async function signed(line) {
  const [method, host, target, expires, payload, accessKeyId, secretAccessKey, sessionToken, ...headers] = line.split("\t");
  const [path, query] = target.split("?");
  const request = { method, protocol: "http:", hostname: host, path, query: bag(query), headers: { host } };
  for (const header of headers) {
    const colon = header.indexOf(":");
    request.headers[header.slice(0, colon)] = header.slice(colon + 1);
  }
  // As the SDK's presigner for S3 spells it.
  request.headers[Number(expires) ? "X-Amz-Content-Sha256" : "x-amz-content-sha256"] = payload;
  const credentials = { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined };
  const signer = new SignatureV4({ credentials, region, service: "s3", sha256: Sha256, uriEscapePath: false });
  const made = Number(expires)
    ? await signer.presign(request, { expiresIn: Number(expires), unsignableHeaders: new Set(["content-type"]) })
    : await signer.sign(request);
  const text = written(made.query ?? {});
  const lines = Object.entries(made.headers).map(([name, value]) => `${name}:${value}`);
  return [`${method} ${made.path}${text ? "?" + text : ""}`, ...lines].join("\t");
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    process.stdout.write((await signed(line)) + "\n");
  }
}

main();
