//! Does what its input says, line by line, with the AWS SDK for Rust.
//!
//! `client URL REGION CA`; CA is empty over HTTP. Its lines and its answers are those of ../go/main.go. A
//! file larger than a part goes up in parts, all at the same time.

mod sign;

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

const PART: u64 = 5 << 20;
const EXPIRY: Duration = Duration::from_secs(300);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, region] = arguments.as_slice()
        && command == "sign"
    {
        return sign::run(region);
    }
    let [url, region, ca] = arguments.as_slice() else {
        return Err("see main.rs for the arguments".into());
    };
    let client = client(url, region, ca)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        let answer = match run(&client, &words).await {
            Ok(values) => [vec!["ok".to_owned()], values].concat(),
            Err(error) => {
                let why = DisplayErrorContext(error.as_ref()).to_string();
                vec!["error".to_owned(), why.replace('\n', " ")]
            }
        };
        println!("{}", answer.join("\t"));
    }
    Ok(())
}

async fn run(client: &Client, words: &[&str]) -> Outcome<Vec<String>> {
    match *words {
        ["put", bucket, key, file] => put(client, bucket, key, Path::new(file)).await?,
        ["get", bucket, key, file] => {
            let object = client.get_object().bucket(bucket).key(key).send().await?;
            std::fs::write(file, object.body.collect().await?.into_bytes())?;
        }
        ["list", bucket] => {
            let page = client.list_objects_v2().bucket(bucket).send().await?;
            let keys = page.contents().iter().filter_map(|item| item.key());
            return Ok(keys.map(str::to_owned).collect());
        }
        ["copy", bucket, key, target] => {
            let copy = client.copy_object().bucket(bucket).key(target);
            copy.copy_source(format!("{bucket}/{key}")).send().await?;
        }
        ["delete", bucket, key] => {
            let delete = client.delete_object().bucket(bucket).key(key);
            delete.send().await?;
        }
        ["presign", bucket, key, method] => {
            let expiry = PresigningConfig::expires_in(EXPIRY)?;
            let request = if method == "PUT" {
                let put = client.put_object().bucket(bucket).key(key);
                put.presigned(expiry).await?
            } else {
                let get = client.get_object().bucket(bucket).key(key);
                get.presigned(expiry).await?
            };
            return Ok(vec![request.uri().to_owned()]);
        }
        _ => return Err("no such command".into()),
    }
    Ok(Vec::new())
}

async fn put(client: &Client, bucket: &str, key: &str, path: &Path) -> Outcome<()> {
    if std::fs::metadata(path)?.len() > PART {
        return multipart(client, bucket, key, path).await;
    }
    let body = ByteStream::from_path(path).await?;
    let put = client.put_object().bucket(bucket).key(key);
    put.body(body).send().await?;
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
            std::env::var("AWS_SESSION_TOKEN").ok(),
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
