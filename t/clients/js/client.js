// Sends files to a bucket and fetches them back with the AWS SDK for JavaScript.
//
// `client.js URL REGION put-buffers|put-streams|get BUCKET FOLDER KEY...`. The keys' files are in
// FOLDER. A file larger than a part goes up in parts, several at the same time.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");

const PART = 5 << 20;

const [url, region, command, bucket, folder, ...keys] = process.argv.slice(2);
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

async function putStream(where, file, size) {
  if (size <= PART) {
    await s3.send(new PutObjectCommand({ ...where, Body: Readable.from(pieces(file)), ContentLength: size }));
    return;
  }
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(where));
  const sent = [];
  for (let start = 0; start < size; start += PART) {
    const Body = fs.createReadStream(file, { start, end: Math.min(start + PART, size) - 1 });
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

async function putBuffer(where, file, size) {
  if (size <= PART) {
    await s3.send(new PutObjectCommand({ ...where, Body: fs.readFileSync(file) }));
  } else {
    // Which gathers a part and sends it as a buffer.
    const params = { ...where, Body: Readable.from(pieces(file)) };
    await new Upload({ client: s3, params, partSize: PART, queueSize: 4 }).done();
  }
}

async function main() {
  for (const key of keys) {
    const file = path.join(folder, key);
    const where = { Bucket: bucket, Key: key };
    if (command === "get") {
      const answer = await s3.send(new GetObjectCommand(where));
      await pipeline(answer.Body, fs.createWriteStream(file));
    } else {
      await (command === "put-streams" ? putStream : putBuffer)(where, file, fs.statSync(file).size);
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
