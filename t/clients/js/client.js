// Does what its input says, line by line, with the AWS SDK for JavaScript.
//
// `client.js URL REGION buffers|streams`: what a file is sent as. Its lines and its answers are those of
// ../go/main.go. A file larger than a part goes up in parts, several at the same time.
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const PART = 5 << 20; // bytes

const [url, region, form] = process.argv.slice(2);
const s3 = new S3Client({ endpoint: url, region, forcePathStyle: "PATH_STYLE" in process.env, maxAttempts: 1 });

// A stream that knows no length, in pieces of odd sizes.
async function* pieces(file) {
  let next = 1;
  for await (const piece of fs.createReadStream(file)) {
    for (let at = 0; at < piece.length; next = (next * 7 + 13) % 40_009) {
      yield piece.subarray(at, (at += next + 1));
    }
  }
}

async function putStream(where, file, size, part) {
  if (size <= part) {
    await s3.send(new PutObjectCommand({ ...where, Body: Readable.from(pieces(file)), ContentLength: size }));
    return;
  }
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(where));
  const sent = [];
  for (let start = 0; start < size; start += part) {
    const Body = fs.createReadStream(file, { start, end: Math.min(start + part, size) - 1 });
    const PartNumber = sent.length + 1;
    sent.push(
      s3.send(new UploadPartCommand({ ...where, UploadId, PartNumber, Body })).then((answer) => ({
        PartNumber,
        ETag: answer.ETag,
        ChecksumCRC32: answer.ChecksumCRC32,
      })),
    );
  }
  const Parts = await Promise.all(sent);
  await s3.send(new CompleteMultipartUploadCommand({ ...where, UploadId, MultipartUpload: { Parts } }));
}

async function putBuffer(where, file, size, part) {
  if (size <= part) {
    await s3.send(new PutObjectCommand({ ...where, Body: fs.readFileSync(file) }));
  } else {
    // Which gathers a part and sends it as a buffer.
    const params = { ...where, Body: Readable.from(pieces(file)) };
    await new Upload({ client: s3, params, partSize: part, queueSize: 4 }).done();
  }
}

// Answers a line: with a list.
async function run(command, Bucket, Key, more, part) {
  const where = { Bucket, Key };
  switch (command) {
    case "put":
      await (form === "streams" ? putStream : putBuffer)(where, more, fs.statSync(more).size, Number(part ?? PART));
      return [];
    case "get":
      await pipeline((await s3.send(new GetObjectCommand(where))).Body, fs.createWriteStream(more));
      return [];
    case "list":
      return (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents.map((item) => item.Key);
    case "copy":
      await s3.send(new CopyObjectCommand({ Bucket, Key: more, CopySource: `${Bucket}/${encodeURIComponent(Key)}` }));
      return [];
    case "delete":
      await s3.send(new DeleteObjectCommand(where));
      return [];
    case "presign":
      return [await getSignedUrl(s3, new (more === "PUT" ? PutObjectCommand : GetObjectCommand)(where))];
    default:
      throw new Error(`no such command: ${command}`);
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = ["ok", ...(await run(...line.split("\t")))];
    } catch (error) {
      console.error(error);
      answer = ["error", String(error).replaceAll("\n", " ")];
    }
    console.log(answer.join("\t"));
  }
}

main();
