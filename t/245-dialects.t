# dialect=: origins that reject what current SDKs send by default get what these sent before 2025, checked here.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use Compress::Raw::Zlib ();
use Digest::MD5 ();
use Digest::SHA ();
use MIME::Base64 qw(encode_base64);
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 200_000;
our $wrong = substr($large, 0, -1) . '!';
our ($crc, $md5);
our ($hash, $hash_of_hello) = map { Digest::SHA::sha256_hex($_) } $large, 'hello';

$ENV{TEST_NGINX_CRC}       = encode_base64(pack('N', Compress::Raw::Zlib::crc32('hello')), '');
$ENV{TEST_NGINX_CRC_LARGE} = encode_base64(pack('N', Compress::Raw::Zlib::crc32($large)), '');
$ENV{TEST_NGINX_MD5}       = encode_base64(Digest::MD5::md5('hello'), '');
# What awscrt completes a multipart upload with, and what of it a store without checksums gets.
my $part = '<Part><ETag>"e"</ETag>%s<PartNumber>1</PartNumber></Part>';
our ($parts, $plain_parts) = map { "<CompleteMultipartUpload>$_</CompleteMultipartUpload>" }
    map { sprintf($part, $_) x 2 } '<ChecksumCRC32>AAAAAA==</ChecksumCRC32>', '';
our ($length_of_parts, $hash_of_parts) = (length $parts, Digest::SHA::sha256_hex($parts));
our ($length_of_plain, $hash_of_plain) = (length $plain_parts, Digest::SHA::sha256_hex($plain_parts));
($crc, $md5) = @ENV{qw(TEST_NGINX_CRC TEST_NGINX_MD5)};
$ENV{TEST_NGINX_UNBUFFERED} = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

# For each store an upstream of its dialect, one that fails over to an origin without a dialect, one to which that fails
# over, and one that keeps the framing.
our @stores = qw(b2 ceph gcs minio-old oss r2 swift);
my ($a, $b, $key_a, $key_b) = @ENV{ map {"TEST_NGINX_$_"} qw(A B CRED_A CRED_B) };
my @upstreams = map { "upstream $$_[0] { server $a; s3_origin default $key_a $$_[1]; }" } ['plain', ''], ['decode', 'framing=decode'];
my @locations = ($ENV{TEST_NGINX_CLIENT}, 's3_resign on;',
    "location /_log/ { s3_resign off; proxy_pass http://$ENV{TEST_NGINX_LOG}/; }",
    'proxy_next_upstream error http_503 non_idempotent;', 'location /decode/ { proxy_pass http://decode; }',
    "location /late-decode/ { proxy_pass http://decode; $ENV{TEST_NGINX_UNBUFFERED} }");
for my $store (@stores) {
    my $lines = "s3_origin $a $key_a dialect=$store; s3_origin $b $key_b;";
    push @upstreams, "upstream $store { server $a; s3_origin default $key_a dialect=$store; }",
        "upstream $store-first { server $a; server $b backup; $lines }",
        "upstream $store-last { server $b; server $a backup; $lines }",
        "upstream $store-kept { server $a; s3_origin $a $key_a dialect=$store framing=keep; }";
    for my $upstream ($store, 'plain') {
        my $set = "proxy_set_header X-Mock A=store:$store; proxy_pass http://$upstream;";
        my $name = $upstream eq 'plain' ? "plain-$store" : $store;
        push @locations, "location /$name/ { $set }", "location = /$name { $set }",
            "location /late-$name/ { $set $ENV{TEST_NGINX_UNBUFFERED} }",
            "location = /late-$name { $set $ENV{TEST_NGINX_UNBUFFERED} }";
    }
    push @locations,
        "location /$store-first { proxy_set_header X-Mock A=503; proxy_pass http://$store-first; }",
        "location /$store-last { proxy_set_header X-Mock A=store:$store,B=503; proxy_pass http://$store-last; }",
        "location /$store-kept { proxy_pass http://$store-kept; }";
}

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => join "\n", @upstreams);
    $block->set_value(config => join "\n", @locations) if $block->name !~ /redirect/;
});

prepare();
run_tests();

__DATA__

=== TEST 1: what an SDK sends today, to each store without its dialect
--- signed
upload PUT /plain-{b2,ceph,gcs,minio-old,oss,r2,swift}/key kind=unsigned body=hello => 501
upload PUT /plain-{b2,ceph,gcs,minio-old,oss,r2,swift}/key kind=signed-trailer body=hello => 501
upload PUT /plain-{b2,ceph,gcs,r2,swift}/key kind=signed body=hello => 501
POST /plain-{gcs,minio-old,oss,swift}?delete body=hello => 400
PUT /plain-{b2,gcs}/key body=hello => 400
    x-amz-checksum-crc32: $TEST_NGINX_CRC
GET /plain-{b2,gcs}/key => 400
    x-amz-checksum-mode: ENABLED
POST /plain-r2/key?uploads => 501
    x-amz-checksum-algorithm: CRC32

=== TEST 2: with its dialect
--- signed
upload PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}/key kind={unsigned,signed,signed-trailer} body={hello,$large} => 200 verified yes
PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}/key body=hello => 200 verified yes.*body 5 $hash_of_hello
    x-amz-checksum-crc32: $TEST_NGINX_CRC
    x-amz-sdk-checksum-algorithm: CRC32
POST /{b2,ceph,gcs,minio-old,oss,r2,swift}?delete body=hello te={0,2} => 200 verified yes.*signed content-md5;.*header content-md5: \Q$md5\E
    x-amz-checksum-crc32: $TEST_NGINX_CRC
PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}/key?tagging body=hello => 200 verified yes.*header content-md5: \Q$md5\E
POST /{b2,ceph,gcs,minio-old,oss,r2,swift}/key?uploads => 200 verified yes
    x-amz-checksum-algorithm: CRC32
    x-amz-checksum-type: FULL_OBJECT
{GET,HEAD} /{b2,ceph,gcs,minio-old,oss,r2,swift}/key => 200
    x-amz-checksum-mode: ENABLED

=== TEST 3: unbuffered; a document is read first even so
--- signed
upload PUT /late-{b2,ceph,gcs,minio-old,oss,r2,swift}/key kind={unsigned,signed} body=$large => 200 verified yes
PUT /late-{b2,ceph}/key body=$large te={0,5000} => 200 verified yes.*body 200000 $hash
    x-amz-checksum-crc32: $TEST_NGINX_CRC_LARGE
POST /late-{b2,ceph,gcs,minio-old,oss,r2,swift}?delete body=hello te={0,2} => 200 verified yes.*header content-md5: \Q$md5\E

=== TEST 4: a large document
--- signed
POST /{ceph,late-ceph}?delete body=$large => 200 verified yes.*body 200000 $hash

=== TEST 5: presigned
--- presigned
PUT /{b2,ceph}/key body=hello => 200 verified yes\nauth query
    x-amz-checksum-crc32: $TEST_NGINX_CRC
POST /{b2,ceph}?delete body=hello => 200 verified yes\nauth query.*signed content-md5;host\n
GET /{b2,ceph}/key => 200 verified yes
    x-amz-checksum-mode: ENABLED

=== TEST 6: an MD5 goes where the stores look for it
--- signed
PUT /{b2,swift}/key body=hello => 200 verified yes.*header content-md5: \Q$md5\E
    x-amz-checksum-md5: $TEST_NGINX_MD5
upload PUT /{b2,swift}/key kind=unsigned checksum=x-amz-checksum-md5 body=hello => 200 verified yes.*header content-md5: \Q$md5\E
PUT /{b2,swift}/key body=hello => 200 verified yes.*header Content-MD5: \Q$md5\E\n
    Content-MD5: $TEST_NGINX_MD5

=== TEST 7: a wrong checksum, which the store would not have seen
--- signed
PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}/key body=$large te={0,5000} => 400 error BadDigest
    x-amz-checksum-crc32: $TEST_NGINX_CRC
PUT /{b2,swift}/key body="" => 400 error BadDigest
    x-amz-checksum-crc32: $TEST_NGINX_CRC
POST /{ceph,late-ceph}?delete body=$large => 400 error BadDigest
    x-amz-checksum-crc32: $TEST_NGINX_CRC
upload PUT /swift/key kind=signed body=$large => 400 error BadDigest
    x-amz-checksum-crc32: $TEST_NGINX_CRC
PUT /{b2,swift}/key body=hello => 400 error InvalidRequest
    x-amz-checksum-crc32: $TEST_NGINX_CRC
    x-amz-checksum-md5: $TEST_NGINX_MD5
PUT /{b2,swift}/key body=hello => 501 error NotImplemented
    x-amz-checksum-md4: $TEST_NGINX_MD5
POST /{b2,swift}/key?uploadId=1 body=hello => 501 error NotImplemented
    x-amz-checksum-crc32: $TEST_NGINX_CRC
--- no_error_log
connect to 127.0.0.1

=== TEST 8: unbuffered it comes out late
--- signed
PUT /late-{b2,swift}/wrong/key body=$large te={0,5000} => 400 error BadDigest
    x-amz-checksum-crc32: $TEST_NGINX_CRC

=== TEST 9: and the origin lacks the end
--- request
GET /_log/late-swift/wrong
--- response_body_like: ^(?:A reset unverified [^\n]*\n){2}$

=== TEST 10: a failover from a dialect to none, where everything goes out as it came
--- signed
PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}-first/key body=hello => 200 ^origin B\nverified yes.*header x-amz-checksum-crc32: \Q$crc\E.*body 5 $hash_of_hello
    x-amz-checksum-crc32: $TEST_NGINX_CRC
upload PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}-first/key kind={unsigned,signed-trailer} body=$large => 200 ^origin B\nverified yes.*header x-amz-trailer.*data 200000 $hash
POST /{b2,ceph,gcs,minio-old,oss,r2,swift}-first?delete body=hello => 200 ^origin B\nverified yes(?!.*content-md5)
    x-amz-checksum-crc32: $TEST_NGINX_CRC

=== TEST 11: and back
--- signed
PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}-last/key body=hello => 200 ^origin A\nverified yes(?!.*header x-amz-checksum).*body 5 $hash_of_hello
    x-amz-checksum-crc32: $TEST_NGINX_CRC
upload PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}-last/key kind={unsigned,signed-trailer} body=$large => 200 ^origin A\nverified yes(?!.*x-amz-trailer).*body 200000 $hash
POST /{b2,ceph,gcs,minio-old,oss,r2,swift}-last?delete body=hello => 200 ^origin A\nverified yes.*header content-md5: \Q$md5\E
    x-amz-checksum-crc32: $TEST_NGINX_CRC

=== TEST 12: framing= counts more than the dialect
--- signed
upload PUT /{b2,ceph,gcs,minio-old,oss,r2,swift}-kept/key kind=unsigned body=$large => 200 verified yes.*header x-amz-trailer.*data 200000 $hash

=== TEST 13: nothing goes but what is about integrity, and what is not signed stays so
--- signed
PUT /{b2,ceph,plain-ceph}/key body=hello => 200 verified yes.*header x-amz-acl: private\nheader x-amz-object-ownership: a\n
    x-amz-acl: private
    x-amz-object-ownership: a
    unsigned Accept-Encoding: gzip

=== TEST 14: a form's fields go out as they are
--- form: POST /{b2,ceph,swift,late-b2} form_key=key file=hello
--- answers: 4x 200 verified yes

=== TEST 15: an internal redirect, to where a dialect is and to where none is
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location /from/ { proxy_pass http://ceph; error_page 404 = @plain; proxy_intercept_errors on; }
    location @plain { proxy_pass http://plain; }
    location /to/ { proxy_pass http://plain; error_page 404 = @ceph; proxy_intercept_errors on; }
    location @ceph { proxy_pass http://ceph; }
--- signed
PUT /from/key body=$large mock=A=404
    x-amz-checksum-crc32: $TEST_NGINX_CRC_LARGE
PUT /to/key body=$large mock=A=404
    x-amz-checksum-crc32: $TEST_NGINX_CRC_LARGE
--- answers
2x 404

=== TEST 16: the checksums of parts are not told to a store that knows none
--- signed
POST /{b2,ceph,gcs,minio-old,oss,r2,swift}/key?uploadId=1 body=$parts te={0,2} => 200 verified yes.*body $length_of_plain $hash_of_plain
POST /{swift,late-swift}/key?uploadId=1 body=$plain_parts => 200 verified yes.*body $length_of_plain $hash_of_plain
POST /{swift,late-swift}/key?uploadId=1 body="" => 200 verified yes.*body 0 
POST /swift/key?uploadId=1 body=$parts sent=$plain_parts => 400 error XAmzContentSHA256Mismatch

=== TEST 17: a store that knows them gets the document as it is, whichever is tried first
--- signed
POST /swift-first/key?uploadId=1 body=$parts => 200 origin B.*body $length_of_parts $hash_of_parts
POST /swift-last/key?uploadId=1 body=$parts => 200 origin A.*body $length_of_plain $hash_of_plain

=== TEST 18: an origin that reads no framing gets the checksum of a header, once it has been compared with the data
--- signed
PUT /{decode,late-decode}/key body=hello => 200 verified yes.*header x-amz-checksum-crc32: \Q$crc\E
    x-amz-checksum-crc32: $TEST_NGINX_CRC
PUT /{decode,late-decode}/key body=hello => 200 verified yes.*header x-amz-checksum-md4: AAAA
    x-amz-checksum-md4: AAAA
upload PUT /{decode,late-decode}/key kind=signed body=hello => 200 verified yes.*header x-amz-checksum-md5: \Q$md5\E.*body 5 $hash_of_hello
    x-amz-checksum-md5: $TEST_NGINX_MD5
POST /{decode,late-decode}/key?uploadId=1 body=hello => 200 verified yes.*header x-amz-checksum-crc32: AAAAAA==
    x-amz-checksum-crc32: AAAAAA==
PUT /{decode,late-decode}/key body=hello te={0,2} => 400 error BadDigest
    x-amz-checksum-crc32: AAAAAA==
PUT /{decode,late-decode}/key body=hello => 400 error BadDigest
    x-amz-checksum-xxhash64: AAAAAAAAAAA=
upload PUT /{decode,late-decode}/key kind=signed body=hello => 400 error BadDigest
    x-amz-checksum-xxhash64: AAAAAAAAAAA=
