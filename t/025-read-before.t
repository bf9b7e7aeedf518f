# Bodies that were read before the access phase: by Lua, or by nginx's client_body_early_read. They are verified where
# they are stored, and no origin hears of one that is wrong.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use Digest::SHA qw(sha256_hex);
use S3Test ':running';
use Test::Nginx::Socket;

# More than is filtered of a file before others have their turn, and in no whole number of its pieces.
our $large  = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $longer = substr $large x 9, 0, 2_600_001;
our ($hash, $longer_hash) = map { sha256_hex($_) } $large, $longer;

my ($minor, $patch) = (`$ENV{TEST_NGINX_BINARY} -V 2>&1` // '') =~ m{/1\.(\d+)\.(\d+)};
my $early = $minor * 1000 + $patch >= 31_005;
my $lua   = S3Test::lua();
plan(skip_all => 'no Lua module that fits this nginx, and no client_body_early_read')
    if !$early && !defined $lua;
plan('no_plan');
$ENV{TEST_NGINX_LOAD_MODULES} = join ' ', $ENV{TEST_NGINX_LOAD_MODULES}, ($lua // '') =~ /load_module (\S+);/g;

$ENV{TEST_NGINX_READS} = $early ? 'client_body_early_read 1;' : 'rewrite_by_lua_block { ngx.req.read_body() }';
$ENV{TEST_NGINX_UNBUFFERED} = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

# An upstream to A and B, which get plain bodies.
our $decode = "upstream decode { server $ENV{TEST_NGINX_A}; s3_origin default $ENV{TEST_NGINX_CRED_A} framing=decode; }";

sub needs_lua { !defined $lua }

prepare();
run_tests();

__DATA__

=== TEST 1: uploads in memory
--- server: $TEST_NGINX_READS client_body_buffer_size 4m;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 2: in a file
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 3: in a file, so long that others have their turn
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- upload
PUT /bucket/key kind={signed,signed-trailer,unsigned} size={8192,1000000} body=$longer
PUT /bucket/key kind={signed,signed-trailer,unsigned} te=70000 body=$longer
--- answers: 9x 200 verified yes\n.*data 2600001 $longer_hash

=== TEST 4: in a file from the beginning, by sendfile
--- server: $TEST_NGINX_READS client_body_in_file_only clean; sendfile on;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 5: where bodies are not buffered
--- server: $TEST_NGINX_READS
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 6: framing=decode, with the checksum in a header
--- http_config eval: $main::decode
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- location: proxy_pass http://decode;
--- upload: PUT /bucket/key kind={signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 4x 200 verified yes\n.*header x-amz-checksum-crc32: \S{8}\n.*header Content-Length: 300000\n.*body 300000 $hash

=== TEST 7: framing=decode, in memory
--- http_config eval: $main::decode
--- server: $TEST_NGINX_READS client_body_buffer_size 4m;
--- location: proxy_pass http://decode;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*header Content-Length: 300000\n.*body 300000 $hash

=== TEST 8: nothing in them
--- http_config eval: $main::decode
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READS
    s3_resign on;
    location / { proxy_pass http://origin_a; }
    location /decode/ { proxy_pass http://decode; }
    location /unbuffered/ { proxy_pass http://decode; $TEST_NGINX_UNBUFFERED }
--- upload
PUT /{bucket,decode,unbuffered}/key kind={signed,signed-trailer,unsigned} te={0,7} body=""
signed PUT /{bucket,decode,unbuffered}/key te={0,7} body=""
--- answers
6x 200 verified yes\n.*data 0 e3b0c442
12x 200 verified yes\n.*body 0 e3b0c442
6x 200 verified yes\n.*body 0 e3b0c442

=== TEST 9: what is no upload in framing goes as it is
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- signed
PUT /bucket/key te={0,5000} body=$large
PUT /bucket/key payload=UNSIGNED-PAYLOAD sent=$large
presigned PUT /bucket/key sent=$large
GET /bucket/key
--- answers
4x 200 verified yes\n.*body 300000 $hash
200 verified yes

=== TEST 10: a wrong one, in memory: no origin hears of it
--- server: $TEST_NGINX_READS client_body_buffer_size 4m;
--- upload
PUT /t10/key kind={signed,signed-trailer} spoil={0,2,-2,-1} body=$large
PUT /t10/key kind=signed-trailer spoil_trailer te={0,5000} body=$large
PUT /t10/key kind={signed-trailer,unsigned} spoil_checksum=x te={0,5000} body=$large
PUT /t10/key kind={signed,signed-trailer,unsigned} decoded={4,6} body=hello
PUT /t10/key kind={signed,signed-trailer,unsigned} cut=60000 body=$large
--- answers
10x 403 error SignatureDoesNotMatch
4x 400 error BadDigest
9x 400 error IncompleteBody
--- no_error_log
connect to 127.0.0.1

=== TEST 11: in a file
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- upload
PUT /t10/key kind={signed,signed-trailer} spoil={0,2,-2,-1} body=$longer
PUT /t10/key kind=signed-trailer spoil_trailer te={0,5000} body=$large
PUT /t10/key kind={signed-trailer,unsigned} spoil_checksum=x te={0,5000} body=$longer
PUT /t10/key kind={signed,signed-trailer,unsigned} cut=60000 body=$large
--- answers
10x 403 error SignatureDoesNotMatch
4x 400 error BadDigest
3x 400 error IncompleteBody
--- no_error_log
connect to 127.0.0.1

=== TEST 12: it is answered in the style of s3_errors, whatever error_page and satisfy say
--- server: $TEST_NGINX_READS
--- location: satisfy any; allow all; s3_errors s3proxy; error_page 400 403 /other;
--- upload: PUT /bucket/key body=hello spoil=0
--- answers: 403 ^\{"error": "The request signature

=== TEST 13: a wrong head: its body is not looked at
--- server: $TEST_NGINX_READS
--- upload: PUT /bucket/key body=hello tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 14: s3_verify_payload: nothing is written where nothing is held back
--- server: $TEST_NGINX_READS s3_verify_payload on; client_body_buffer_size 8k;
--- signed
PUT /bucket/key te={0,5000} body=$longer                   => 200 verified yes.*body 2600001 $longer_hash
PUT /bucket/key te={0,5000} body=$longer sent=$large       => 400 error XAmzContentSHA256Mismatch
PUT /bucket/key body=hello                                 => 200 verified yes.*body 5 2cf24dba
PUT /bucket/key body=hello sent=hallo                      => 400 error XAmzContentSHA256Mismatch
presigned PUT /bucket/key sent=hello                       => 200 verified yes.*body 5 2cf24dba

=== TEST 15: s3_verify_payload, in memory
--- server: $TEST_NGINX_READS s3_verify_payload on; client_body_buffer_size 4m;
--- signed
PUT /bucket/key te={0,5000} body=$longer                   => 200 verified yes.*body 2600001 $longer_hash
PUT /bucket/key te={0,5000} body=$longer sent=$large       => 400 error XAmzContentSHA256Mismatch

=== TEST 16: a retry begins at the beginning
--- server: $TEST_NGINX_READS client_body_buffer_size 8k;
--- location: proxy_pass http://origin_ab;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=$large mock=A=partial:70000
--- answers: 3x 200 ^origin B\nverified yes\n.*data 300000 $hash

=== TEST 17: a retry from memory
--- server: $TEST_NGINX_READS client_body_buffer_size 4m;
--- location: proxy_pass http://origin_ab;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=$large mock=A=partial:70000
--- answers: 3x 200 ^origin B\nverified yes\n.*data 300000 $hash

=== TEST 18: forms, in memory and in a file
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READS
    s3_resign on;
    location / { proxy_pass http://origin_a; client_body_buffer_size 4m; }
    location /file { proxy_pass http://origin_a; client_body_buffer_size 8k; }
    location /unbuffered { proxy_pass http://origin_a; client_body_buffer_size 1k; $TEST_NGINX_UNBUFFERED }
--- form
POST /{bucket,file,unbuffered} te={0,5000} file=$longer
POST /{bucket,file,unbuffered} file=""
POST /{bucket,file,unbuffered} file=$large tamper
POST /{bucket,file,unbuffered} file=$large
    condition ["content-length-range", 0, 100]
POST /{bucket,file,unbuffered} te={0,5000} file=$large edit_body=s|--\r\n\z||
--- answers
6x 200 verified yes\n.*data 2600001 $longer_hash
3x 200 verified yes\n.*data 0 e3b0c442
3x 403 error SignatureDoesNotMatch
3x 400 error EntityTooLarge
6x 400 error MalformedPOSTRequest

=== TEST 19: CreateBucket, whose body is another one where it goes
--- http_config
    upstream there { server $TEST_NGINX_B; s3_origin default $TEST_NGINX_CRED_B; }
--- server: $TEST_NGINX_READS s3_region eu-proxy-1;
--- location: proxy_pass http://there;
--- signed
PUT /new region=eu-proxy-1 body=<CreateBucketConfiguration><LocationConstraint>eu-proxy-1</LocationConstraint></CreateBucketConfiguration>
PUT /new region=eu-proxy-1 body=<CreateBucketConfiguration><LocationConstraint>eu-other-1</LocationConstraint></CreateBucketConfiguration>
PUT /new region=eu-proxy-1 body=$large
PUT /new region=eu-proxy-1 body=<CreateBucketConfiguration/> sent=<createBucketConfiguration/>
PUT /new region=eu-proxy-1 body=""
--- answers
200 ^origin B\nverified yes\n
400 error IllegalLocationConstraintException
400 error MalformedXML
400 error XAmzContentSHA256Mismatch
200 ^origin B\nverified yes\n

=== TEST 20: Expect: 100-continue
--- server: $TEST_NGINX_READS
--- upload
PUT /bucket/key body=hello pieces=head
    unsigned expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 21: mirrors, of which one gets the plain body of the client, and none an upload that was decoded
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READS
    location / { s3_resign on; mirror /mirror; proxy_pass http://origin_a; }
    location = /mirror { internal; s3_resign off; proxy_pass http://origin_b/t21; }
--- upload
PUT /bucket/key kind={signed,unsigned} body=hello
signed PUT /bucket/key body=hello
--- answers
2x 200 ^origin A\nverified yes\n.*data 5 2cf24dba
200 ^origin A\nverified yes\n.*body 5 2cf24dba

=== TEST 22: the mirror has got the one
--- request
GET /_log/t21
--- response_body_like: ^B 200 [^\n]*body=5 [^\n]*\n$

=== TEST 23: auth_request has no body of it
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READS
    location / { s3_resign on; auth_request /auth; proxy_pass http://origin_a; }
    location = /auth { internal; s3_resign off; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://origin_b/t23; }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=$large
--- answers: 3x 200 ^origin A\nverified yes\n.*data 300000 $hash
--- skip_eval: 3: S3Test::lacks('http_auth_request_module')

=== TEST 24: a body that was read where nothing is verified
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READS
    location / { error_page 418 = @s3; return 418; }
    location @s3 { s3_resign on; proxy_pass http://origin_a; }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 25: the file that others are told of is the plain body
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        client_body_in_file_only clean;
        rewrite_by_lua_block { ngx.req.read_body() }
        access_by_lua_block {
            local file = io.open(ngx.req.get_body_file(), "rb")
            ngx.req.set_header("X-File", #file:read("*a"))
            file:close()
        }
        proxy_pass http://origin_a;
    }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=$longer
--- answers: 3x 200 header X-File: 2600001\n.*data 2600001 $longer_hash
--- skip_eval: 3: main::needs_lua()

=== TEST 26: another body than the client's is none that it has signed
--- config
    $TEST_NGINX_CLIENT
    rewrite_by_lua_block { ngx.req.read_body() ngx.req.set_body_data("hallo") }
    s3_resign on;
    location / { proxy_pass http://origin_a; }
    location /checked/ { s3_verify_payload on; proxy_pass http://origin_a; }
--- upload
PUT /bucket/key kind={signed,signed-trailer,unsigned} body=hello
signed PUT /bucket/key body=hello
signed PUT /checked/key body=hello
form POST /bucket
--- answers
3x 400 error IncompleteBody
200 ^origin A\nverified no: the body is not the one signed
400 error XAmzContentSHA256Mismatch
400 error MalformedPOSTRequest
--- skip_eval: 3: main::needs_lua()

=== TEST 27: a file of another's is not written into, and a body that is gone is not forwarded
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location /file/ {
        rewrite_by_lua_block {
            ngx.req.read_body()
            local name = ngx.config.prefix() .. "body"
            local file = io.open(name, "wb")
            file:write(ngx.req.get_body_data())
            file:close()
            ngx.req.set_body_file(name)
        }
        proxy_pass http://origin_a;
    }
    location /discarded/ { rewrite_by_lua_block { ngx.req.discard_body() } proxy_pass http://origin_a; }
--- upload
PUT /file/key kind={signed,unsigned} body=hello
PUT /discarded/key kind={signed,unsigned} body=hello
--- answers
2x 500 error InternalError
2x 400 error IncompleteBody
--- error_log
what is stored cannot be read or written again
--- no_error_log
connect to 127.0.0.1
--- skip_eval: 3: main::needs_lua()

=== TEST 28: lua_need_request_body
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        lua_need_request_body on;
        client_body_buffer_size 8k;
        rewrite_by_lua_block { return }
        proxy_pass http://origin_a;
    }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash
--- skip_eval: 3: main::needs_lua()

=== TEST 29: mirror reads a body once it is verified, where it would not be buffered too
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; mirror /mirror; proxy_pass http://origin_a; $TEST_NGINX_UNBUFFERED }
    location /signed { s3_resign on; mirror /signed-mirror; proxy_pass http://origin_a; }
    location = /mirror { internal; s3_resign off; proxy_pass http://origin_b/t29; }
    location = /signed-mirror { internal; s3_resign on; proxy_pass http://origin_b; }
--- upload
PUT /{bucket,signed}/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large   => 200 ^origin A\nverified yes\n.*data 300000 $hash
PUT /{bucket,signed}/key kind={signed,signed-trailer} spoil=-1 body=$large               => 403 error SignatureDoesNotMatch
signed PUT /{bucket,signed}/key body=$large                                              => 200 ^origin A\nverified yes\n.*body 300000 $hash
form POST /{bucket,signed} file=$large                                                   => 200 ^origin A\nverified yes\n.*data 300000 $hash

=== TEST 30: a mirror has got what was not decoded, and one that signs nothing
--- unsigned
GET /_log/t29                 => 200 ^B 200 [^\n]*body=300000 [^\n]*\n$
GET /_log/signed-mirror       => 200 ^$
