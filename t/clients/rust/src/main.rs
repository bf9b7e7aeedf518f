//! Sends files to a bucket and fetches them back with the AWS SDK for Rust.
//!
//! `client URL REGION CA put|get BUCKET FOLDER KEY...`; CA is empty over HTTP. The keys' files are in
//! FOLDER. A file larger than a part goes up in parts, all at the same time.

use std::error::Error;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

const PART: u64 = 5 << 20;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, region, ca, command, bucket, folder, keys @ ..] = arguments.as_slice() else {
        return Err("see main.rs for the arguments".into());
    };
    let client = client(url, region, ca)?;
    for key in keys {
        let path = Path::new(folder).join(key);
        if command == "get" {
            let object = client.get_object().bucket(bucket).key(key).send().await?;
            std::fs::write(path, object.body.collect().await?.into_bytes())?;
        } else if std::fs::metadata(&path)?.len() <= PART {
            let body = ByteStream::from_path(path).await?;
            client
                .put_object()
                .bucket(bucket)
                .key(key)
                .body(body)
                .send()
                .await?;
        } else {
            multipart(&client, bucket, key, &path).await?;
        }
    }
    Ok(())
}

fn client(url: &str, region: &str, ca: &str) -> Outcome<Client> {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .force_path_style(std::env::var_os("PATH_STYLE").is_some())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(
            std::env::var("AWS_ACCESS_KEY_ID")?,
            std::env::var("AWS_SECRET_ACCESS_KEY")?,
            None,
            None,
            "environment",
        ));
    let http = aws_smithy_http_client::Builder::new();
    config.set_http_client(Some(if ca.is_empty() {
        http.build_http()
    } else {
        let trusted = TrustStore::empty().with_pem_certificate(std::fs::read(ca)?);
        http.tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(TlsContext::builder().with_trust_store(trusted).build()?)
            .build_https()
    }));
    Ok(Client::from_conf(config.build()))
}

async fn multipart(client: &Client, bucket: &str, key: &str, path: &Path) -> Outcome<()> {
    let created = client
        .create_multipart_upload()
        .bucket(bucket)
        .key(key)
        .send()
        .await?;
    let id = created.upload_id().ok_or("no upload id")?;
    let size = std::fs::metadata(path)?.len();
    let mut tasks = Vec::new();
    for (number, offset) in (1..).zip((0..size).step_by(PART as usize)) {
        let body = ByteStream::read_from()
            .path(path)
            .offset(offset)
            .length(Length::Exact(PART.min(size - offset)))
            .build()
            .await?;
        let part = client.upload_part().bucket(bucket).key(key).upload_id(id);
        tasks.push((
            number,
            tokio::spawn(part.part_number(number).body(body).send()),
        ));
    }
    let mut parts = CompletedMultipartUpload::builder();
    for (number, task) in tasks {
        let done = task.await??;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(done.e_tag)
            .set_checksum_crc32(done.checksum_crc32);
        parts = parts.parts(part.build());
    }
    let complete = client
        .complete_multipart_upload()
        .bucket(bucket)
        .key(key)
        .upload_id(id);
    complete.multipart_upload(parts.build()).send().await?;
    Ok(())
}
