# Upload ids and continuation tokens that know their origin: whatever the balancer, a request with one goes to the
# origin that gave it, with the id as that origin knows it, or nowhere.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# What nginx makes of the ids "A/upload+1=", "A/version+1=" and "A/token+1=" of origin A, for /bucket/key, or for a key
# in the bucket that the name says, and of those of B and C: by AES-SIV, as Python's cryptography has it, with
# HMAC-SHA256(secret key, "ngx_http_s3_resign sealed id 1\0HOST").
my %sealed = (
    A              => 's3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia',
    B              => 's3r1_djgbuacksywvrxacpha37httw2cqvrzrynfamer3m2ra',
    A_MARKER       => 's3r1_wrtiqk3fdzwkc3u2iewb4b7ssvpvxeur4ikfjgiapitq',
    B_MARKER       => 's3r1_2e6g4rvupurb5j33jmzr2se5g47zouafhievkdsyd3mq',
    A_VERSIONS     => 's3r1_oisrvhpxj52r2nxz4fwucigucohcl2mrcdkoy22wjgec6',
    B_VERSIONS     => 's3r1_tsuoxvfzuscte3y7i64j3yvso3n2g2exepenbhpdxqacg',
    A_LIST         => 's3r1_pqjt2gv6znbo4g5j7gvpza7wqobpad4aepfvnymaym',
    B_LIST         => 's3r1_v6bmiq57por7vkdsfl6h5uf54y7yhnstyajkyec65q',
    A_REFUSED      => 's3r1_2z4sxefkkdx4kekeis6x37pbqikvbkmodakui6ruxwja',
    C_REFUSED      => 's3r1_jvdohgrk4ycn4ab3r2v6u2mqvsofk3sat33qmcsb25ba',
    A_DOWN         => 's3r1_gqqjkpfqav2vbjmxakmsuy6652r4iytdd5t6wed2r6hq',
    A_FAILS        => 's3r1_qul3d474idh5v5psjqs5sivm7wq5uuum4ptmq5ljju7q',
    A_BUCKETS      => 's3r1_kwk5qypqrocb6uhnv6v63mtkr7tp4r6odjx4pufupi',
    B_BUCKETS      => 's3r1_ecq4b7ubjk6ljysqyydnta4bt3mnueunzliewxvtfm',
);
$ENV{"TEST_NGINX_ID_$_"} = $sealed{$_} for keys %sealed;
$ENV{TEST_NGINX_TAMPERED} = $sealed{A_REFUSED} =~ s/_\K(.)/$1 eq 'a' ? 'b' : 'a'/er;
our $id_b = $sealed{B};

# An upstream "u" of A and B, with parameters for each, and others for the server of A.
sub http {
    my ($lines, $params_a, $params_b, $a) = map { $_ // '' } @_[0 .. 3];
    $a ||= $ENV{TEST_NGINX_A};
    return <<"END";
    upstream u {
        $lines
        server $a $params_a;
        server $ENV{TEST_NGINX_B} $params_b;
        s3_origin $a $ENV{TEST_NGINX_CRED_A} host=a.example.com;
        s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B} host=b.example.com;
    }
END
}
$ENV{TEST_NGINX_U} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / {
        s3_resign on;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://u;
    }
END

our $part = 'PUT /bucket/key?partNumber=1&uploadId';
our $at_a = '^origin A\nverified yes\n.*line PUT /bucket/key\?\S*\bpartNumber=1&uploadId=A%2Fupload%2B1%3D[ &]';
our $at_b = '^origin B\nverified yes\n.*line PUT /bucket/key\?\S*\bpartNumber=1&uploadId=B%2Fupload%2B1%3D[ &]';

# Eight parts of each of the two uploads, among others, so that it is anybody's turn.
our $parts = <<"END";
8x $part=$sealed{A} body=hello
GET /bucket/other
8x $part=$sealed{B} body=hello
8x presigned $part=$sealed{A}
2x GET /bucket/other
8x presigned $part=$sealed{B}
END
our $parts_arrive = <<"END";
8x 200 $at_a
200 verified yes
8x 200 $at_b
8x 200 $at_a
2x 200 verified yes
8x 200 $at_b
END

prepare();
run_tests();

__DATA__

=== TEST 1: round robin
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 2: with weights, a zone and connections that are kept alive
--- http_config eval: http('zone u 64k; keepalive 8;', 'weight=5')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 3: least_conn
--- http_config eval: http('least_conn;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 4: ip_hash
--- http_config eval: http('ip_hash;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 5: hash, by what is the same for all
--- http_config eval: http('hash $s3_bucket;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 6: hash, consistent
--- http_config eval: http('hash $s3_bucket consistent;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 7: random
--- http_config eval: http('random;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 8: random two, with a zone
--- http_config eval: http('zone u 64k; random two least_conn;')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 9: one is the other's backup
--- http_config eval: http('keepalive 8;', 'backup')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 10: no more connections than one
--- http_config eval: http('zone u 64k;', 'max_conns=1', 'max_conns=1')
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 11: the connection of a pick that was given back is kept alive, and stays its origin's
--- http_config eval: http('keepalive 8;')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
--- answers
200 ^origin A\nverified yes\n.*connection \d+ request 1\n
200 ^origin B\nverified yes\n.*connection \d+ request 1\n
200 ^origin B\nverified yes\n.*connection \d+ request 2\n
200 ^origin B\nverified yes\n.*connection \d+ request 3\n
200 ^origin A\nverified yes\n.*connection \d+ request 2\n
200 ^origin A\nverified yes\n.*connection \d+ request 3\n
200 ^origin A\nverified yes\n.*connection \d+ request 4\n
200 ^origin B\nverified yes\n.*connection \d+ request 4\n

=== TEST 12: every operation that has an id
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- signed
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A => 200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=A%2Fupload%2B1%3D HTTP
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B => 200 ^origin B\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP
    x-amz-copy-source: /bucket/source
POST /bucket/key?uploadId=$TEST_NGINX_ID_B body=parts => 200 ^origin B\nverified yes\n.*line POST /bucket/key\?uploadId=B%2Fupload%2B1%3D HTTP
GET /bucket/key?uploadId=$TEST_NGINX_ID_B => 200 ^origin B\nverified yes\n.*line GET /bucket/key\?uploadId=B%2Fupload%2B1%3D HTTP
DELETE /bucket/key?uploadId=$TEST_NGINX_ID_B => 200 ^origin B\nverified yes\n.*line DELETE /bucket/key\?uploadId=B%2Fupload%2B1%3D HTTP
DELETE /bucket/key?uploadId=$TEST_NGINX_ID_A => 200 ^origin A\nverified yes\n.*line DELETE /bucket/key\?uploadId=A%2Fupload%2B1%3D HTTP
GET /bucket?uploads&upload-id-marker=$TEST_NGINX_ID_A_MARKER&key-marker=k => 200 ^origin A\nverified yes\n.*line GET /bucket\?key-marker=k&upload-id-marker=A%2Fupload%2B1%3D&uploads= HTTP
GET /bucket?uploads&upload-id-marker=$TEST_NGINX_ID_B_MARKER&key-marker=k => 200 ^origin B\nverified yes\n.*line GET /bucket\?key-marker=k&upload-id-marker=B%2Fupload%2B1%3D&uploads= HTTP
GET /bucket?uploads&upload-id-marker=$TEST_NGINX_ID_B&key-marker=key => 200 ^origin B\nverified yes\n.*line GET /bucket\?key-marker=key&upload-id-marker=B%2Fupload%2B1%3D&uploads= HTTP
GET /bucket?versions&version-id-marker=$TEST_NGINX_ID_A_VERSIONS&key-marker=k => 200 ^origin A\nverified yes\n.*line GET /bucket\?key-marker=k&version-id-marker=A%2Fversion%2B1%3D&versions= HTTP
GET /bucket?versions&version-id-marker=$TEST_NGINX_ID_A_VERSIONS&key-marker=k => 200 ^origin A\nverified yes\n.*line GET /bucket\?key-marker=k&version-id-marker=A%2Fversion%2B1%3D&versions= HTTP
GET /bucket?versions&version-id-marker=$TEST_NGINX_ID_B_VERSIONS&key-marker=k => 200 ^origin B\nverified yes\n.*line GET /bucket\?key-marker=k&version-id-marker=B%2Fversion%2B1%3D&versions= HTTP
GET /bucket?list-type=2&continuation-token=$TEST_NGINX_ID_A_LIST => 200 ^origin A\nverified yes\n.*line GET /bucket\?continuation-token=A%2Ftoken%2B1%3D&list-type=2 HTTP
GET /bucket?list-type=2&continuation-token=$TEST_NGINX_ID_A_LIST => 200 ^origin A\nverified yes\n.*line GET /bucket\?continuation-token=A%2Ftoken%2B1%3D&list-type=2 HTTP
presigned GET /bucket?list-type=2&continuation-token=$TEST_NGINX_ID_B_LIST => 200 ^origin B\nverified yes\n.*line GET /bucket\?X-Amz-Algorithm\S+&continuation-token=B%2Ftoken%2B1%3D&list-type=2&X-Amz-Signature=\S+ HTTP
GET /?continuation-token=$TEST_NGINX_ID_B_BUCKETS&max-buckets=9 => 200 ^origin B\nverified yes\n.*line GET /\?continuation-token=B%2Ftoken%2B1%3D&max-buckets=9 HTTP
GET /?continuation-token=$TEST_NGINX_ID_A_BUCKETS&max-directory-buckets=9 => 200 ^origin A\nverified yes\n.*line GET /\?continuation-token=A%2Ftoken%2B1%3D&max-directory-buckets=9 HTTP
upload PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello => 200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=A%2Fupload%2B1%3D HTTP
upload PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello => 200 ^origin B\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP

=== TEST 13: of another key, bucket or origin, or not what was sealed: nothing is sent
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- signed
PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_TAMPERED
PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_A
PUT /refused/other?partNumber=1&uploadId=$TEST_NGINX_ID_A_REFUSED
PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_MARKER
PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_C_REFUSED
presigned PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_A
upload PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
POST /refused/key?uploadId=$TEST_NGINX_ID_C_REFUSED body=parts
GET /refused?list-type=2&continuation-token=$TEST_NGINX_ID_A_LIST
GET /refused?list-type=2&continuation-token=$TEST_NGINX_ID_A_BUCKETS
GET /refused?uploads&upload-id-marker=$TEST_NGINX_ID_A_REFUSED&key-marker=other
GET /refused?versions&version-id-marker=$TEST_NGINX_ID_A_VERSIONS&key-marker=k
unsigned GET /_log/refused
GET /?continuation-token=$TEST_NGINX_ID_A_LIST
--- answers
404 <Code>NoSuchUpload</Code>.*<UploadId>s3r1_[a-z2-7]+</UploadId>
7x 404 error NoSuchUpload
2x 400 <Code>InvalidArgument</Code><Message>The continuation token provided is incorrect</Message>.*<ArgumentName>continuation-token</ArgumentName>
400 <Code>InvalidArgument</Code><Message>Invalid uploadId marker</Message>.*<ArgumentName>upload-id-marker</ArgumentName>
400 <Code>InvalidArgument</Code><Message>Invalid version id specified</Message>.*<ArgumentName>version-id-marker</ArgumentName>
200 ^$
400 error InvalidArgument

=== TEST 14: an id that is not sealed goes out as it is, to whoever's turn it is
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- signed: 4x PUT /bucket/key?partNumber=1&uploadId=2~of-before. body=hello
--- answers
200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=2~of-before\. HTTP
200 ^origin B\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=2~of-before\. HTTP
200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=2~of-before\. HTTP
200 ^origin B\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=2~of-before\. HTTP

=== TEST 15: its origin cannot be reached: no other one hears of it, and other requests go on
--- http_config eval: http('', 'max_fails=0', '', $ENV{TEST_NGINX_DEAD})
--- config
$TEST_NGINX_U
--- signed
4x PUT /down/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_DOWN body=hello
unsigned GET /_log/down
2x GET /bucket/other
2x PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
--- answers
4x 502 error InternalError
200 ^$
2x 200 ^origin B\nverified yes
2x 200 $at_b

=== TEST 16: its origin is down, or has failed before
--- http_config eval: http('', 'down') . http('', 'max_fails=1 fail_timeout=1h', '', $ENV{TEST_NGINX_DEAD}) =~ s/upstream u/upstream v/r
--- config
$TEST_NGINX_U
    location /v/ { s3_resign on; s3_prefix /v; proxy_pass http://v; }
--- signed
PUT /down/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_DOWN body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
PUT /v/down/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_DOWN body=hello
PUT /v/down/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_DOWN body=hello
PUT /v/bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
unsigned GET /_log/down
--- answers
502 error InternalError
200 $at_b
2x 502 error InternalError
200 $at_b
200 ^$
--- error_log: no origin is available that has its bucket, and knows its upload id or continuation token

=== TEST 17: its origin fails: the client gets what it said, and no other one is tried
--- http_config eval: http('zone u 64k;')
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_next_upstream error timeout http_503 http_404 non_idempotent; proxy_pass http://u; }
--- signed
2x PUT /fails/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_FAILS body=hello mock=A=503:SlowDown
2x PUT /fails/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_FAILS body=hello mock=A=404:NoSuchUpload
PUT /fails/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_FAILS body=hello mock=A=drop
unsigned GET /_log/fails
--- answers
2x 503 SlowDown
2x 404 NoSuchUpload
502 error InternalError
200 ^(A 503 [^\n]+\n){2}(A 404 [^\n]+\n){2}A drop [^\n]+\n$

=== TEST 18: another address of its origin is tried
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD max_fails=0;
        server $TEST_NGINX_A;
        server $TEST_NGINX_B;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A host=a.example.com;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A host=a.example.com;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B host=b.example.com;
    }
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 19: one origin is left
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A host=a.example.com; }
--- config
$TEST_NGINX_U
--- signed
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
--- answers
200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=A%2Fupload%2B1%3D HTTP
200 ^origin A\nverified yes\n.*line PUT /bucket/key\?partNumber=1&uploadId=\Q$id_b\E HTTP

=== TEST 20: a client that may not write
--- http_config eval: http()
--- config
    s3_client AKIDCLIENT secret_key=$TEST_NGINX_CLIENT_SECRET allow=read;
    location / { s3_resign on; proxy_pass http://u; }
--- signed: PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
--- refused: 403 AccessDenied

=== TEST 21: in each way to address a bucket, at origins that want it in the host too
--- http_config eval: http() =~ s/host=b.example.com/host=b.example.com addressing=virtual/r
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_domain s3.example.com files.example.com=bucket;
    location / { proxy_pass http://u; }
    location /s3/ { s3_prefix /s3; proxy_pass http://u; }
--- signed
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B host=s3.example.com body=hello
PUT /key?partNumber=1&uploadId=$TEST_NGINX_ID_B host=bucket.s3.example.com body=hello
PUT /key?partNumber=1&uploadId=$TEST_NGINX_ID_A host=files.example.com body=hello
PUT /s3/bucket/%6bey?partNumber=1&uploadId=$TEST_NGINX_ID_A host=s3.example.com body=hello
PUT /s3/key?partNumber=1&uploadId=$TEST_NGINX_ID_B host=bucket.s3.example.com body=hello
PUT /key?partNumber=1&uploadId=$TEST_NGINX_ID_A host=other.s3.example.com body=hello
--- answers
200 ^origin B\nverified yes\n.*line PUT /key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP
200 ^origin B\nverified yes\n.*line PUT /key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP
200 $at_a
200 $at_a
200 ^origin B\nverified yes\n.*line PUT /key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP
404 error NoSuchUpload

=== TEST 22: a rewritten request, and one that is not signed
--- http_config eval: http()
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_anonymous on;
    location / { proxy_pass http://u; }
    location /fails/ { rewrite ^/fails/(.*) /bucket/moved/$1 break; proxy_pass http://u; }
    location /old/ {
        rewrite ^/old/(.*) /bucket/$1?uploadId=$TEST_NGINX_ID_B? break;
        proxy_pass http://u;
    }
--- signed
unsigned PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A
unsigned PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B
unsigned PUT /bucket/other?partNumber=1&uploadId=$TEST_NGINX_ID_B
2x PUT /fails/key?partNumber=1&uploadId=$TEST_NGINX_ID_A_FAILS
GET /old/key?uploadId=$TEST_NGINX_ID_A
--- answers
200 ^origin A\nverified no: not signed\n.*line PUT /bucket/key\?partNumber=1&uploadId=A%2Fupload%2B1%3D HTTP
200 ^origin B\nverified no: not signed\n.*line PUT /bucket/key\?partNumber=1&uploadId=B%2Fupload%2B1%3D HTTP
404 error NoSuchUpload
2x 200 ^origin A\nverified yes\n.*line PUT /bucket/moved/key\?partNumber=1&uploadId=A%2Fupload%2B1%3D HTTP
404 error NoSuchUpload

=== TEST 23: a connection that was kept alive has been closed: its origin is asked again
--- http_config eval
::http('keepalive 8;', 'max_fails=0', '', "127.0.0.1:$ENV{TEST_NGINX_SPARE}") . <<"END"
    server {
        listen 127.0.0.1:$ENV{TEST_NGINX_SPARE};
        set \$again \$connection_requests;
        if (\$again != 1) { return 444; }
        location / { proxy_pass http://$ENV{TEST_NGINX_A}; proxy_set_header Host \$http_host; }
    }
END
--- config
$TEST_NGINX_U
--- signed
8x PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
4x POST /bucket/key?uploadId=$TEST_NGINX_ID_A body=parts
--- answers
8x 200 $at_a
502 error InternalError
200 ^origin A
502 error InternalError
200 ^origin A

=== TEST 24: bodies that are forwarded while they arrive
--- http_config eval: http('keepalive 8;')
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://u;
    }
--- signed
4x PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
4x upload PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
4x upload PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /refused/key?partNumber=1&uploadId=$TEST_NGINX_ID_B body=hello
--- answers
4x 200 $at_a
4x 200 $at_b
4x 200 $at_a
404 error NoSuchUpload

=== TEST 25: servers with resolve, whose peers come and go
--- skip_nginx: 2: < 1.27.3: servers with resolve came with 1.27.3
--- http_config eval: 'resolver 127.0.0.1:9; ' . http('zone u 128k; keepalive 4;') =~ s/(server \S+) /$1 resolve/gr
--- config
$TEST_NGINX_U
--- signed eval: $::parts
--- answers eval: $::parts_arrive

=== TEST 26: its origin has failed, and nginx keeps off it
--- http_config eval: http('', 'max_fails=1 fail_timeout=1h', 'max_fails=1 fail_timeout=1h')
--- config
$TEST_NGINX_U
--- signed
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello mock=A=drop
2x GET /bucket/other
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello mock=A=drop
PUT /bucket/key?partNumber=1&uploadId=$TEST_NGINX_ID_A body=hello
--- answers
502 error InternalError
2x 200 ^origin B
200 $at_a
502 error InternalError
200 $at_a
