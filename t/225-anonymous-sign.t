# s3_anonymous sign: who has no signature gets that of the location, within its grant, beside whatever nginx itself
# demands; and nothing that he shows to nginx goes on.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Digest::MD5 qw(md5_base64);
use File::Temp qw(tempdir);
use Test::Nginx::Socket 'no_plan';

my $dir = tempdir(CLEANUP => 1);
open my $out, '>', "$dir/users" or die $!;
print $out "user:{PLAIN}pass\n";
close $out;
chmod 0755, $dir;
$ENV{TEST_NGINX_USERS} = "auth_basic s3; auth_basic_user_file $dir/users;";
$ENV{TEST_NGINX_SIGN}  = 's3_resign on; s3_anonymous sign buckets=bucket,media; proxy_pass http://origin_a;';
$ENV{TEST_NGINX_ZONE}  = 'proxy_cache_path cache keys_zone=c:1m levels=1;';

# A link as secure_link wants it.
sub link_to {
    my ($path, $expires) = @_;
    my $hash = md5_base64("$expires$path secret") =~ tr{+/}{-_}r;
    return "$path?md5=$hash&expires=$expires";
}
$ENV{TEST_NGINX_LINK} = link_to('/media/a', time + 600);
$ENV{TEST_NGINX_OTHER} = $ENV{TEST_NGINX_LINK} =~ s{/media/a}{/media/b}r;
$ENV{TEST_NGINX_LATE} = link_to('/media/a', time - 600);

prepare();
run_tests();

__DATA__

=== TEST 1: within the grant, which is to read
--- location: s3_anonymous sign buckets=media,site/public/*;
--- unsigned
GET /media/a%20b
GET /media/k?versionId=1&partNumber=2
GET /media?list-type=2
GET /media/k?acl
GET /site/public/k
POST /media/k?select&select-type=2 sent=hello
GET /site/private/k
GET /site?list-type=2
GET /other/k
PUT /media/k sent=hello
DELETE /media/k
POST /media?delete sent=hello
GET /media?session
GET /media/k?unheard-of
GET /minio/admin/v3/info
OPTIONS /media/k
--- answers
200 ^origin A\nverified yes\n.*line GET /media/a%20b HTTP
200 ^origin A\nverified yes\n.*line GET /media/k\?partNumber=2&versionId=1 HTTP
4x 200 ^origin A\nverified yes
10x 403 error AccessDenied

=== TEST 2: HEAD
--- location: s3_anonymous sign;
--- unsigned
HEAD /bucket/key
HEAD /bucket
--- answers
2x 200
--- response_headers eval: ['X-Verified: yes', 'X-Verified: yes']

=== TEST 3: what a stranger must not have signed
--- location: s3_anonymous sign allow=all;
--- unsigned
GET /bucket/key
    x-amz-acl: public-read
GET /bucket/key
    x-amz-security-token: t
GET /bucket/key
    X-Minio-Force-Delete: true
PUT /bucket/key sent=hello
    x-amz-bypass-governance-retention: true
GET /bucket/key?response-content-type=text/html
PUT /bucket/key sent=hello
    x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER
PUT /bucket/key sent=hello
    Content-Encoding: aws-chunked
PUT /bucket/key sent=hello
    x-amz-trailer: x-amz-checksum-crc32
--- answers
4x 403 error AccessDenied headers present in the request which were not signed
400 error InvalidRequest anonymous GET
3x 501 error NotImplemented

=== TEST 4: what may be written, where that is granted
--- location: s3_anonymous sign allow=read,write buckets=bucket;
--- unsigned
PUT /bucket/key sent=hello
    x-amz-meta-a: b
    Content-Type: text/plain
PUT /bucket/key
    x-amz-copy-source: /bucket/other
PUT /bucket/key
    x-amz-copy-source: /secret/other
PUT /bucket/key sent=hello
    x-amz-acl: public-read
DELETE /bucket/key
PUT /bucket?policy sent=hello
PUT /bucket/key sent=hello
    x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
--- answers
200 verified yes.*signed content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a\n.*body 5 2cf24dba
200 verified yes.*signed host;.*x-amz-copy-source
2x 403 error AccessDenied
200 verified yes
403 error AccessDenied
200 verified yes.*X-Amz-Content-Sha256: 2cf24dba

=== TEST 5: what is shown to nginx goes no further
--- location: s3_anonymous sign;
--- unsigned
GET /bucket/key
    Authorization: Basic dXNlcjpwYXNz
    Cookie: session=1
    Proxy-Authorization: Basic dXNlcjpwYXNz
    X-Auth-Token: t
    X-HTTP-Method-Override: DELETE
    Range: bytes=0-1
    If-None-Match: "a"
GET /bucket/key
    Authorization: Bearer dXNlcjpwYXNz
--- answers
200 ^(?!.*dXNlcjpwYXNz)(?!.*(?i:cookie|token|override)).*verified yes.*header (?i:range): bytes=0-1
200 ^(?!.*dXNlcjpwYXNz).*verified yes

=== TEST 6: what is signed, or seems to be, is verified
--- location: s3_anonymous sign;
--- signed
GET /bucket/key
PUT /bucket/key sent=""
GET /bucket/key tamper
GET /bucket/key key=AKIDNOBODY
presigned GET /bucket/key tamper
presigned GET /bucket/key expires=none
presigned GET /bucket/key skew=-400 expires=300
signed_v2 GET /bucket/key
unsigned GET /bucket/key?X-Amz-Signature=1
unsigned GET /bucket/key?AWSAccessKeyId=a
unsigned GET /bucket/key
    Authorization: AWS4-HMAC-SHA256 nonsense
unsigned GET /bucket/key
    Authorization: AWS a:b
form POST /bucket form_key=key file=hello without=policy
--- answers
2x 200 verified yes
403 error SignatureDoesNotMatch
403 error InvalidAccessKeyId
403 error SignatureDoesNotMatch
400 error AuthorizationQueryParametersError
403 error AccessDenied expired
400 error InvalidRequest
40[03] <Error>
400 <Error>
400 error AuthorizationHeaderMalformed
400 error InvalidRequest
40[03] <Error>

=== TEST 7: auth_basic decides who gets there
--- config
$TEST_NGINX_CLIENT
location / { $TEST_NGINX_SIGN $TEST_NGINX_USERS }
--- unsigned
GET /bucket/key
GET /bucket/key
    Authorization: Basic dXNlcjp3cm9uZw==
GET /bucket/key
    Authorization: Basic dXNlcjpwYXNz
GET /other/key
    Authorization: Basic dXNlcjpwYXNz
signed GET /bucket/key
--- answers
2x 401
200 ^(?!.*dXNlcjpwYXNz).*verified yes
403 error AccessDenied
401

=== TEST 8: it asks for a password
--- config
location / { $TEST_NGINX_SIGN $TEST_NGINX_USERS }
--- unsigned: GET /bucket/key
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="s3"

=== TEST 9: with satisfy any a signature will do, or a password, but not neither
--- config
$TEST_NGINX_CLIENT
location / { satisfy any; $TEST_NGINX_SIGN $TEST_NGINX_USERS }
location /bucket/deny { satisfy any; deny all; $TEST_NGINX_SIGN }
location /bucket/allow { satisfy any; allow 127.0.0.1; deny all; $TEST_NGINX_SIGN }
--- unsigned
GET /bucket/key
GET /bucket/key
    Authorization: Basic dXNlcjpwYXNz
signed GET /bucket/key
signed GET /bucket/key tamper
GET /bucket/deny
signed GET /bucket/deny
GET /bucket/allow
--- answers
401
2x 200 verified yes
403 error SignatureDoesNotMatch
403
2x 200 verified yes

=== TEST 10: allow and deny
--- config
location / { $TEST_NGINX_SIGN deny all; }
location /media/ { $TEST_NGINX_SIGN allow 127.0.0.1; deny all; }
--- unsigned
GET /bucket/key
GET /media/k
--- answers
403
200 verified yes

=== TEST 11: auth_request
--- skip_eval: 2: S3Test::lacks('http_auth_request_module')
--- config
location = /auth { internal; if ($cookie_session = good) { return 204; } return 401; }
location / { $TEST_NGINX_SIGN auth_request /auth; }
--- unsigned
GET /bucket/key
GET /bucket/key
    Cookie: session=bad
GET /bucket/key
    Cookie: session=good
GET /other/key
    Cookie: session=good
--- answers
2x 401
200 ^(?!.*(?i:cookie)).*verified yes
403 error AccessDenied

=== TEST 12: secure_link
--- skip_eval: 2: S3Test::lacks('http_secure_link_module')
--- config
location /media/ {
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires$uri secret";
    if ($secure_link = "") { return 403; }
    if ($secure_link = "0") { return 410; }
    rewrite ^(.*)$ $1? break;
    $TEST_NGINX_SIGN
}
--- unsigned
GET $TEST_NGINX_LINK
GET $TEST_NGINX_LATE
GET $TEST_NGINX_OTHER
GET /media/a
--- answers
200 verified yes.*line GET /media/a HTTP
410
2x 403

=== TEST 13: a website: its index, its bucket, a prefix, and no query
--- config
location / {
    rewrite ^(.*)/$ $1/index.html;
    rewrite ^(.*)$ /bucket$1? break;
    s3_resign on; s3_anonymous sign allow=GetObject,HeadObject buckets=bucket; proxy_pass http://origin_a;
}
location /static/ {
    rewrite ^/static(.*)$ /media$1? break;
    s3_resign on; s3_anonymous sign allow=GetObject,HeadObject buckets=media; proxy_pass http://origin_a;
}
location /elsewhere/ {
    rewrite ^/elsewhere(.*)$ /secret$1? break;
    s3_resign on; s3_anonymous sign allow=GetObject,HeadObject buckets=media; proxy_pass http://origin_a;
}
--- unsigned
GET /
GET /a/?utm=1
GET /a%20b/c%23?acl
GET //a/./b
GET /a/../b
GET /static/k?v=3
GET /static/../k
GET /elsewhere/k
PUT /k sent=hello
--- answers
200 verified yes.*line GET /bucket/index\.html HTTP
200 verified yes.*line GET /bucket/a/index\.html HTTP
200 verified yes.*line GET /bucket/a%20b/c%23 HTTP
200 verified yes.*line GET /bucket/a/b HTTP
200 verified yes.*line GET /bucket/b HTTP
200 verified yes.*line GET /media/k HTTP
200 verified yes.*line GET /bucket/k HTTP
2x 403 error AccessDenied

=== TEST 14: a bucket with a domain of its own, a prefix, and other names at the origin
--- http_config
    upstream c { server $TEST_NGINX_C; s3_origin default $TEST_NGINX_CRED_C; }
--- config
s3_domain s3.test www.test=media;
location / { s3_resign on; s3_anonymous sign buckets=media; s3_bucket_map media there; proxy_pass http://origin_a; }
location /s3/ { s3_prefix /s3; s3_resign on; s3_anonymous sign buckets=media; proxy_pass http://c; }
--- unsigned
GET /k
    unsigned Host: www.test
GET /media/k
    unsigned Host: s3.test
GET /k
    unsigned Host: media.s3.test
GET /there/k
    unsigned Host: s3.test
GET /s3/media/k
    unsigned Host: s3.test
GET /k
    unsigned Host: other.test
--- answers
3x 200 ^origin A\nverified yes.*line GET /there/k HTTP
403 error AccessDenied
200 ^origin C\nverified yes.*line GET /media/k HTTP
400 error InvalidRequest

=== TEST 15: each try is signed
--- config
location / { s3_resign on; s3_anonymous sign; proxy_next_upstream error http_503; proxy_pass http://origin_ab; }
--- unsigned
GET /t15/key mock=A=503
GET /_log/t15
--- answers
200 ^origin B\nverified yes
200 ^A 503 verified body=0 GET /t15/key HTTP/1\.[01]\nB 200 verified body=0 GET /t15/key HTTP/1\.[01]\n$

=== TEST 16: what a location has signed is in the cache for those without a signature there, and for nobody else
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CLIENT
proxy_cache c; proxy_cache_valid 200 1m; proxy_force_ranges on; s3_resign on;
add_header X-Cache $upstream_cache_status always;
location / { proxy_pass http://origin_a; }
location /on/ { s3_prefix /on; s3_anonymous on; proxy_pass http://origin_a; }
location /sign/ { s3_prefix /sign; s3_anonymous sign; proxy_pass http://origin_a; }
location /basic/ { s3_prefix /basic; s3_anonymous sign; $TEST_NGINX_USERS proxy_pass http://origin_a; }
--- unsigned
GET /on/t16/key
GET /sign/t16/key
GET /sign/t16/key
signed GET /t16/key
GET /on/t16/key
signed GET /sign/t16/key
GET /basic/t16/key
GET /basic/t16/key
    Authorization: Basic dXNlcjpwYXNz
GET /sign/t16/key
    Range: bytes=0-7
GET /sign/t16/key?versionId=1
GET /_log/t16
--- answers
200 verified no
2x 200 verified yes
200 verified yes
200 verified no
200 verified yes
401
200 verified yes
206 ^origin A$
200 verified yes
200 ^A 200 unverified [^\n]*\nA 200 verified [^\n]*\nA 200 verified [^\n]*\nA 200 verified [^\n]*\n$
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: MISS', 'X-Cache: HIT', 'X-Cache: MISS', 'X-Cache: HIT', 'X-Cache: HIT', '', 'X-Cache: HIT', 'X-Cache: HIT', 'X-Cache: MISS', '']

=== TEST 17: the variables
--- config
$TEST_NGINX_CLIENT
s3_resign on;
add_header X-Who "$s3_auth [$s3_access_key] $s3_operation $s3_bucket $s3_cacheable" always;
location / { s3_anonymous sign buckets=bucket; proxy_pass http://origin_a; }
location /on { s3_anonymous on; proxy_pass http://origin_a; }
--- unsigned
GET /bucket/key
GET /on/key
signed GET /bucket/key
GET /other/key
--- answers
3x 200
403
--- response_headers eval
['X-Who: granted [] GetObject bucket 1', 'X-Who: anonymous [] GetObject on 1', 'X-Who: v4-header [AKIDCLIENT] GetObject bucket 1',
    'X-Who: granted [] GetObject other 1']

=== TEST 18: levels
--- http_config
    s3_anonymous sign buckets=bucket;
--- config
s3_resign on;
$TEST_NGINX_CLIENT
location / { proxy_pass http://origin_a; }
location /off { s3_anonymous off; proxy_pass http://origin_a; }
location /on { s3_anonymous on; proxy_pass http://origin_a; }
location /other { s3_anonymous sign allow=GetObject buckets=other; proxy_pass http://origin_a; }
--- unsigned
GET /bucket/key
GET /off/key
GET /on/key
GET /other/key
HEAD /other/key
--- answers
200 verified yes
403 error AccessDenied
200 verified no
200 verified yes
403

=== TEST 19: preflights go on unsigned, as ever, or are answered here
--- config
location / { $TEST_NGINX_SIGN }
location /media { $TEST_NGINX_SIGN s3_cors origin=https://app.example methods=GET; }
--- unsigned
OPTIONS /bucket/key
    Origin: https://app.example
    Access-Control-Request-Method: GET
OPTIONS /media/key
    Origin: https://app.example
    Access-Control-Request-Method: GET
GET /media/key
    Origin: https://app.example
--- answers
200 verified no
204
200 verified yes

=== TEST 20: it counts by its name
--- config
location / { $TEST_NGINX_SIGN }
location /metrics { s3_status; }
--- unsigned
2x GET /bucket/key
GET /other/key
GET /metrics?format=prometheus
--- answers
2x 200
403
200 s3_resign_requests_total\{auth="granted"\} 2\n.*s3_resign_refused_total\{code="AccessDenied"\} 1\n

=== TEST 21: the keys of s3_sse_c, which it has granted
--- location: s3_anonymous sign buckets=vault; s3_sse_c vault key=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=;
--- unsigned
GET /vault/k
GET /vault/k
    x-amz-server-side-encryption-customer-algorithm: AES256
--- answers
200 verified yes.*header x-amz-server-side-encryption-customer-key: a2tra2tra
403 error AccessDenied
