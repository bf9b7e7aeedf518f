// Does what its input says, line by line, with the AWS SDK for Java.
//
// `Client URL REGION CA MANNER`; CA is empty over HTTP. Its lines and its answers are those of ../go/main.go. In the
// manners `netty` and `crt` the transfer manager puts and gets, by one of the two asynchronous clients.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

public final class Client {
    private static final int PART = 5 << 20;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final Duration EXPIRY = Duration.ofMinutes(5);

    private final S3Client s3;
    private final S3Presigner presigner;
    private final S3TransferManager transfers; // null for the client that blocks

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 4) {
            throw new IllegalArgumentException("see Client.java for the arguments");
        }
        Client client = new Client(URI.create(arguments[0]), Region.of(arguments[1]), arguments[2],
                arguments[3]);
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line; (line = input.readLine()) != null; ) {
            List<String> answer = new ArrayList<>();
            try {
                answer.add("ok");
                answer.addAll(client.run(line.split("\t")));
            } catch (SdkException | CompletionException | IOException error) {
                error.printStackTrace(); // its causes too
                answer = List.of("error", error.toString().replace('\n', ' '));
            }
            output.println(String.join("\t", answer));
        }
    }

    private Client(URI endpoint, Region region, String ca, String manner) throws Exception {
        boolean pathStyle = System.getenv("PATH_STYLE") != null;
        var http = UrlConnectionHttpClient.builder();
        if (!ca.isEmpty()) {
            TrustManager[] trusted = trust(ca);
            http.tlsTrustManagersProvider(() -> trusted);
        }
        // Without a key it looks wherever the SDK does, as for the token of a pod.
        AwsCredentialsProvider credentials = System.getenv("AWS_ACCESS_KEY_ID") != null
                ? EnvironmentVariableCredentialsProvider.create()
                : DefaultCredentialsProvider.builder().build();
        s3 = S3Client.builder()
                .endpointOverride(endpoint)
                .region(region)
                .credentialsProvider(credentials)
                .forcePathStyle(pathStyle)
                .httpClientBuilder(http)
                .overrideConfiguration(override -> override
                        .retryStrategy(DefaultRetryStrategy.doNotRetry())
                        .apiCallTimeout(TIMEOUT))
                .build();
        presigner = S3Presigner.builder()
                .endpointOverride(endpoint)
                .region(region)
                .credentialsProvider(credentials)
                .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(pathStyle).build())
                .build();
        S3AsyncClient async = switch (manner) {
            case "netty" -> netty(endpoint, region, ca, pathStyle);
            case "crt" -> crt(endpoint, region, ca, pathStyle);
            default -> null;
        };
        transfers = async == null ? null : S3TransferManager.builder().s3Client(async).build();
    }

    private static S3AsyncClient netty(URI endpoint, Region region, String ca, boolean pathStyle) throws Exception {
        var http = NettyNioAsyncHttpClient.builder();
        if (!ca.isEmpty()) {
            TrustManager[] trusted = trust(ca);
            http.tlsTrustManagersProvider(() -> trusted);
        }
        return S3AsyncClient.builder()
                .endpointOverride(endpoint)
                .region(region)
                .forcePathStyle(pathStyle)
                .httpClientBuilder(http)
                .multipartEnabled(true)
                .multipartConfiguration(parts -> parts.minimumPartSizeInBytes((long) PART).thresholdInBytes((long) PART))
                .overrideConfiguration(override -> override
                        .retryStrategy(DefaultRetryStrategy.doNotRetry())
                        .apiCallTimeout(TIMEOUT))
                .build();
    }

    /** Amazon's client in C, which takes authorities only from the system. */
    private static S3AsyncClient crt(URI endpoint, Region region, String ca, boolean pathStyle) {
        return S3AsyncClient.crtBuilder()
                .endpointOverride(endpoint)
                .region(region)
                .forcePathStyle(pathStyle)
                .minimumPartSizeInBytes((long) PART)
                .thresholdInBytes((long) PART)
                .httpConfiguration(http -> http.trustAllCertificatesEnabled(!ca.isEmpty()))
                .retryConfiguration(retry -> retry.numRetries(0))
                .build();
    }

    private static TrustManager[] trust(String ca) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = new FileInputStream(ca)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private List<String> run(String[] words) throws IOException {
        String bucket = words[1];
        switch (words[0]) {
            case "put" -> put(bucket, words[2], Path.of(words[3]));
            case "get" -> get(bucket, words[2], Path.of(words[3]));
            case "list" -> {
                return s3.listObjectsV2(list -> list.bucket(bucket)).contents().stream().map(S3Object::key).toList();
            }
            case "copy" -> s3.copyObject(copy -> copy.sourceBucket(bucket).sourceKey(words[2])
                    .destinationBucket(bucket).destinationKey(words[3]));
            case "delete" -> s3.deleteObject(delete -> delete.bucket(bucket).key(words[2]));
            case "presign" -> {
                return List.of(presign(bucket, words[2], words[3]));
            }
            default -> throw new IOException("no such command: " + words[0]);
        }
        return List.of();
    }

    private void get(String bucket, String key, Path file) {
        if (transfers == null) {
            s3.getObject(get -> get.bucket(bucket).key(key), file);
            return;
        }
        transfers.downloadFile(download -> download.destination(file)
                .getObjectRequest(get -> get.bucket(bucket).key(key))).completionFuture().join();
    }

    /** A file larger than a part goes up in parts; here they go one after the other. */
    private void put(String bucket, String key, Path file) throws IOException {
        if (transfers != null) {
            transfers.uploadFile(upload -> upload.source(file)
                    .putObjectRequest(put -> put.bucket(bucket).key(key))).completionFuture().join();
            return;
        }
        if (Files.size(file) <= PART) {
            s3.putObject(put -> put.bucket(bucket).key(key), file);
            return;
        }
        String id = s3.createMultipartUpload(create -> create.bucket(bucket).key(key)).uploadId();
        List<CompletedPart> parts = new ArrayList<>();
        try (InputStream in = Files.newInputStream(file)) {
            for (byte[] body; (body = in.readNBytes(PART)).length > 0; ) {
                int number = parts.size() + 1;
                var answer = s3.uploadPart(
                        upload -> upload.bucket(bucket).key(key).uploadId(id).partNumber(number),
                        RequestBody.fromBytes(body));
                parts.add(CompletedPart.builder().partNumber(number).eTag(answer.eTag())
                        .checksumCRC32(answer.checksumCRC32()).build());
            }
        }
        s3.completeMultipartUpload(complete -> complete.bucket(bucket).key(key).uploadId(id)
                .multipartUpload(upload -> upload.parts(parts)));
    }

    private String presign(String bucket, String key, String method) {
        if (method.equals("PUT")) {
            return presigner.presignPutObject(presign -> presign.signatureDuration(EXPIRY)
                    .putObjectRequest(put -> put.bucket(bucket).key(key))).url().toString();
        }
        return presigner.presignGetObject(presign -> presign.signatureDuration(EXPIRY)
                .getObjectRequest(get -> get.bucket(bucket).key(key))).url().toString();
    }
}
