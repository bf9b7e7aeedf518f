# s3_sse_c: the operator's key goes out, signed, with what S3 takes it for, and comes back to nobody.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Digest::MD5 qw(md5_base64);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);
use Test::Nginx::Socket 'no_plan';

our ($at_a, $at_b) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B)};
my $dir = tempdir(CLEANUP => 1);

# A key of the same letter all over, as it is configured, as a header or a field, and as a pattern for it.
sub key { encode_base64($_[0] x 32, '') }
sub md5 { md5_base64($_[0] x 32) . '==' }
our %key = map { $_ => key($_) } 'a' .. 'c';
for my $letter ('a' .. 'c') {
    $ENV{"TEST_NGINX_KEY_\U$letter"} = $key{$letter};
    open my $out, '>', "$dir/$letter" or die $!;
    print $out "$key{$letter}\n";
    close $out;
}

# What is sent of a key, for the object and for the source of a copy, as patterns; "none" for neither.
sub sent { my ($what, $letter, $in) = @_; join '', map {"$in $what-$_\n"}
    'algorithm: AES256', "key: \Q$key{$letter}\E", 'key-md5: ' . quotemeta md5($letter) }
our $target = 'x-amz-server-side-encryption-customer';
our $source = 'x-amz-copy-source-server-side-encryption-customer';
our ($a, $b, $c) = map { sent($target, $_, 'header') } qw(a b c);
our ($from_a, $from_b) = map { sent($source, $_, 'header') } qw(a b);
our $field_a = sent($target, 'a', 'field');
our $none = '(?!.*customer)';

$ENV{TEST_NGINX_KEYS} = "s3_sse_c vault key=$key{a}; s3_sse_c logs-* key=file:$dir/b; s3_sse_c vault/c/* key=file:$dir/c;";
our $told = 'The key ' . $key{a} . ' is wrong';

sub upstream { <<"END" }
    upstream u {
        zone u 64k;
        server $at_a max_fails=0; server $at_b max_fails=0 backup;
        s3_origin $at_a $ENV{TEST_NGINX_CRED_A}; s3_origin $at_b $ENV{TEST_NGINX_CRED_B} @_;
    }
END

prepare();
run_tests();

__DATA__

=== TEST 1: what takes a key, signed in each way
--- server: s3_signature_v2 on; s3_domain s3.test;
--- location: $TEST_NGINX_KEYS
--- signed
GET /vault/k host=s3.test
GET /k host=vault.s3.test
HEAD /vault/k host=s3.test
PUT /vault/k body=hello host=s3.test
presigned GET /vault/k?versionId=1 host=s3.test
presigned PUT /vault/k body=hello host=s3.test
signed_v2 GET /vault/k host=s3.test
presigned_v2 GET /vault/k host=s3.test
upload PUT /vault/k kind=signed body=hello host=s3.test
upload PUT /vault/k kind=unsigned body=hello host=s3.test
POST /vault/k?uploads host=s3.test
PUT /vault/k?partNumber=1&uploadId=u body=hello host=s3.test
POST /vault/k?uploadId=u body=x host=s3.test
GET /vault/k?uploadId=u host=s3.test
GET /vault/k?attributes host=s3.test
POST /vault/k?select&select-type=2 body=x host=s3.test
GET /vault/c/k host=s3.test
GET /logs-web/k host=s3.test
--- answers
2x 200 verified yes.*$a
200
13x 200 verified yes.*$a
200 verified yes.*$c
200 verified yes.*$b

=== TEST 2: what takes none
--- location: $TEST_NGINX_KEYS
--- signed
GET /vault
GET /
GET /other/k
PUT /other/k body=hello
GET /vault/k?tagging
PUT /vault/k?acl body=x
DELETE /vault/k
DELETE /vault/k?uploadId=u
POST /vault?delete body=x
PUT /vault/k?renameObject
    x-amz-rename-source: /vault/l
--- answers: 10x 200 ^$none.*verified yes

=== TEST 3: copies, each side by itself
--- location: $TEST_NGINX_KEYS
--- signed
PUT /vault/k
    x-amz-copy-source: logs-1/k
PUT /logs-1/k?partNumber=1&uploadId=u
    x-amz-copy-source: /vault/k?versionId=1
PUT /other/k
    x-amz-copy-source: vault/k
PUT /vault/k
    x-amz-copy-source: other/k
PUT /vault/k
    x-amz-copy-source: logs-1/k
    x-amz-copy-source-server-side-encryption-customer-algorithm: AES256
    x-amz-copy-source-server-side-encryption-customer-key: mine
PUT /vault/k
    x-amz-copy-source: logs-1/k
    x-amz-server-side-encryption-customer-key: mine
--- answers
200 (?s)^(?=.*$a)(?=.*$from_b).*verified yes
200 (?s)^(?=.*$b)(?=.*$from_a).*verified yes
200 (?s)^(?!.*customer-key.*customer-key: .*customer-key: )(?=.*$from_a).*verified yes
200 (?s)^(?!.*source-server)(?=.*$a).*verified yes
200 (?s)^(?!.*header x-amz-copy-source-server\S*-md5)(?=.*$a)(?=.*header x-amz-copy-source-server\S*-key: mine).*verified yes
200 (?s)^(?=.*$from_b)(?!.*encryption-customer-algorithm: .*encryption-customer-algorithm: )(?=.*encryption-customer-key: mine).*verified yes

=== TEST 4: a client's own key stays, and it hears of it
--- config
$TEST_NGINX_CLIENT
location / { s3_resign on; $TEST_NGINX_KEYS proxy_pass http://origin_a; }
--- signed
GET /vault/k
    x-amz-server-side-encryption-customer-algorithm: AES256
    x-amz-server-side-encryption-customer-key: mine
    x-amz-server-side-encryption-customer-key-MD5: of-mine
GET /vault/k
PUT /vault/k body=hello
GET /vault/k
--- origin
200 OK body=a
    x-amz-server-side-encryption-customer-algorithm: AES256
    X-Amz-Server-Side-Encryption-Customer-Key-MD5: of-mine
200 OK body=a
    x-amz-server-side-encryption-customer-algorithm: AES256
    X-Amz-Server-Side-Encryption-Customer-Key-MD5: secretive
200 OK body=a
    x-amz-server-side-encryption-customer-algorithm: AES256
    X-Amz-Server-Side-Encryption-Customer-Key-MD5: secretive
403 Forbidden body=$told
    x-amz-server-side-encryption-customer-algorithm: AES256
    X-Amz-Server-Side-Encryption-Customer-Key-MD5: secretive
--- answers
200 ^a$
    x-amz-server-side-encryption-customer-algorithm: AES256
    x-amz-server-side-encryption-customer-key-MD5: of-mine
200 ^a$
    !x-amz-server-side-encryption-customer-algorithm
    !x-amz-server-side-encryption-customer-key-MD5
200 ^a$
    !x-amz-server-side-encryption-customer-algorithm
    !x-amz-server-side-encryption-customer-key-MD5
403 ^(?!.*The key)
    !x-amz-server-side-encryption-customer-algorithm
    !x-amz-server-side-encryption-customer-key-MD5

=== TEST 5: without a key here, what an origin says of one passes
--- location
--- signed
GET /vault/k
--- origin
200 OK body=a
    X-Amz-Server-Side-Encryption-Customer-Key-MD5: of-somebody
--- answers
200 ^a$
    x-amz-server-side-encryption-customer-key-MD5: of-somebody

=== TEST 6: a form has the key in its fields, and in its policy
--- location: $TEST_NGINX_KEYS
--- form
POST /vault form_key=k file=hello
POST /other form_key=k file=hello
--- answers
200 (?s)verified yes.*$field_a
200 (?s)^(?!.*customer).*verified yes

=== TEST 7: an unsigned request gets no key, and is not passed on without
--- server: s3_anonymous on;
--- location: $TEST_NGINX_KEYS
--- unsigned
GET /vault/t7
PUT /vault/t7
GET /other/t7
GET /vault/t7?tagging
GET /_log/vault/t7
--- answers
2x 403 error AccessDenied not for unsigned requests
2x 200 ^$none
200 ^A 200 unverified body=0 GET /vault/t7 HTTP/1\.[01]\n?$

=== TEST 8: each try, by other names for the bucket
--- http_config eval: upstream("; s3_bucket_map vault there origin=$at_b; s3_bucket_map vault vault origin=$at_a")
--- config
$TEST_NGINX_CLIENT
location / { s3_resign on; s3_sse_c vault key=$TEST_NGINX_KEY_A; s3_sse_c there key=$TEST_NGINX_KEY_B; proxy_pass http://u; proxy_next_upstream error http_503; }
--- signed
GET /vault/k mock=A=503
PUT /vault/k body=hello mock=A=503
--- answers
200 (?s)^origin B.*line GET /there/k.*$a
200 (?s)^origin B.*line PUT /there/k.*$a

=== TEST 9: inherited, replaced, and switched off
--- config
$TEST_NGINX_CLIENT
s3_resign on; s3_sse_c * key=$TEST_NGINX_KEY_A;
location / { proxy_pass http://origin_a; }
location /other/ { s3_sse_c other key=$TEST_NGINX_KEY_B; proxy_pass http://origin_a; }
location /plain/ { s3_sse_c off; proxy_pass http://origin_a; }
location /vault/ { if ($arg_x) { set $y 1; } proxy_pass http://origin_a; }
--- signed
GET /vault/k
GET /vault/k?x=1
GET /other/k
GET /plain/k
--- answers
2x 200 $a
200 $b
200 ^$none

=== TEST 10: no cache keeps what needs a key, unless that is said
--- http_config
proxy_cache_path cache keys_zone=c:1m levels=1;
--- config
$TEST_NGINX_CLIENT
s3_resign on; proxy_cache c; proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control;
add_header X-Cache "$upstream_cache_status $s3_cacheable" always;
location / { s3_sse_c * key=$TEST_NGINX_KEY_A; s3_sse_c kept-* key=$TEST_NGINX_KEY_A cache=on; proxy_pass http://origin_a; }
location ~ ^/kept-.*/b$ { s3_sse_c kept-* key=$TEST_NGINX_KEY_B cache=on; proxy_pass http://origin_a; }
--- signed
2x GET /vault/k
HEAD /vault/k
GET /kept-1/k
GET /kept-1/k
HEAD /kept-1/k
GET /kept-1/b
GET /kept-1/k
    x-amz-server-side-encryption-customer-key: mine
--- answers
2x 200 $a
    X-Cache: 0
200
    X-Cache: 0
200 $a
    X-Cache: MISS 1
200 $a
    X-Cache: HIT 1
200
    X-Cache: HIT 1
200 $b
    X-Cache: MISS 1
200 mine
    X-Cache: 0

=== TEST 11: the key of another location is another entry, though the rest is the same
--- http_config
proxy_cache_path cache keys_zone=c:1m levels=1;
--- config
$TEST_NGINX_CLIENT
s3_resign on; proxy_cache c; proxy_cache_valid 200 1h;
add_header X-Cache "$upstream_cache_status" always;
location / { s3_sse_c * key=$TEST_NGINX_KEY_A cache=on; proxy_pass http://origin_a; }
server_name a.test;
}
server {
listen 127.0.0.1:$TEST_NGINX_PORT;
server_name b.test;
$TEST_NGINX_CLIENT
s3_resign on; proxy_cache c; proxy_cache_valid 200 1h;
add_header X-Cache "$upstream_cache_status" always;
location / { s3_sse_c * key=$TEST_NGINX_KEY_B cache=on; proxy_pass http://origin_a; }
--- signed
GET /kept/k host=a.test
GET /kept/k host=b.test
GET /kept/k host=b.test
--- answers
200 $a
    X-Cache: MISS
200 $b
    X-Cache: MISS
200 $b
    X-Cache: HIT

=== TEST 12: an origin that does not confirm that it stores with the key may store in clear
--- location: $TEST_NGINX_KEYS
--- signed
PUT /vault/k body=hello
PUT /vault/k?partNumber=1&uploadId=u body=hello
PUT /vault/k body=hello
PUT /vault/k body=hello
    x-amz-server-side-encryption-customer-key: mine
PUT /other/k body=hello
GET /vault/k
PUT /vault/k?tagging body=x
--- origin
200 OK body=a
200 OK body=a
412 Precondition Failed body=a
4x 200 OK body=a
--- answers
2x 502 error InternalError cannot be passed on
412 ^a
502 error InternalError cannot be passed on
3x 200 ^a$
--- error_log: no word of the key that it got

=== TEST 13: below a path, and after a rewrite, by the bucket that goes out
--- server: s3_prefix /s3;
--- location: $TEST_NGINX_KEYS rewrite ^/s3/alias/(.*)$ /s3/vault/$1 break; rewrite ^/alias/(.*)$ /vault/$1 break;
--- signed
GET /s3/vault/k
GET /s3/alias/k
--- answers: 2x 200 line GET /vault/k.*$a
