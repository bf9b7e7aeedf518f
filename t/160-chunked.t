# Uploads in aws-chunked framing: verified here chunk by chunk, framed and signed
# again for the origin, or sent to it plain. Whatever is wrong with one, the origin
# must not get the whole of it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $hash  = Digest::SHA::sha256_hex($large);
# More than the 16 MiB of the longest chunk that goes out.
our $huge      = $large x 57;
our $huge_hash = Digest::SHA::sha256_hex($huge);
$ENV{TEST_NGINX_UNBUFFERED} = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

# An upstream to the origins A and B, plain to those named in the second argument.
sub upstream {
    my ($name, $decode, $more) = @_;
    my $framing = sub { $decode =~ /$_[0]/ ? ' framing=decode' : '' };
    return "upstream $name { server $ENV{TEST_NGINX_A}; server $ENV{TEST_NGINX_B} backup; "
        . ($more // '') . " s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A}" . $framing->('A')
        . "; s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B}" . $framing->('B') . '; }';
}

prepare();
run_tests();

__DATA__

=== TEST 1: the three kinds, buffered in memory
--- location: client_body_buffer_size 2m;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 2: in a file
--- location: client_body_buffer_size 8k;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 3: in a file, by sendfile
--- location: client_body_in_file_only clean; sendfile on;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*data 300000 $hash

=== TEST 4: unbuffered: the length is known beforehand
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*header Content-Length: 30\d+\n.*data 300000 $hash

=== TEST 5: framing=decode, buffered: the checksum is sent as a header
--- http_config eval: upstream('u', 'A')
--- location: client_body_buffer_size 8k; proxy_pass http://u;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers
2x 200 verified yes\n.*header Content-Length: 300000\n.*body 300000 $hash
4x 200 verified yes\n.*header x-amz-checksum-crc32: \S{8}\n.*header Content-Length: 300000\n.*body 300000 $hash
--- response_body_unlike eval: [('aws-chunked|x-amz-decoded|x-amz-trailer') x 6]

=== TEST 6: framing=decode, unbuffered
--- http_config eval: upstream('u', 'A')
--- location: $TEST_NGINX_UNBUFFERED proxy_pass http://u;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 verified yes\n.*header Content-Length: 300000\n.*body 300000 $hash
--- response_body_unlike eval: [('aws-chunked|x-amz-decoded|x-amz-trailer|Transfer-Encoding') x 6]

=== TEST 7: nothing in it
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=""
--- answers: 3x 200 verified yes\n.*data 0 e3b0c442

=== TEST 8: nothing in it, unbuffered, piece by piece
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind=signed-trailer body="" pieces=40
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 0 e3b0c442

=== TEST 9: nothing in it, unbuffered, framing=decode, piece by piece
--- http_config eval: upstream('u', 'A')
--- location: $TEST_NGINX_UNBUFFERED proxy_pass http://u;
--- upload: PUT /bucket/key kind=unsigned body="" pieces=40
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 0 e3b0c442

=== TEST 10: a few bytes, unbuffered, piece by piece
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind=signed-trailer body=hellohellohellohellohellohellohellohellohellohello size=20 te=7 pieces=30
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 50 

=== TEST 11: other sizes of chunks, other checksums
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size={8192,10000,131072,1000000} checksum=x-amz-checksum-{md5,sha256,sha512} body=$large
--- answers: 36x 200 verified yes\n.*data 300000 $hash

=== TEST 12: chunks like the client's: nothing is hashed twice, and all arrives
--- location: client_body_buffer_size 2m;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size={8192,10000,131072} body=$large
--- answers
200 verified yes\n.*data 300000 $hash
200 verified yes\n.*header Content-Length: 302756\n.*data 300000 $hash
7x 200 verified yes\n.*data 300000 $hash

=== TEST 13: without the line break at the very end
--- upload: PUT /bucket/key kind={signed-trailer,unsigned} body=hello edit_body=s|\r\n\z||
--- answers: 2x 200 verified yes\n.*data 5 2cf24dba

=== TEST 14: a wrong signature of the first chunk, one in the middle, the last
--- upload: PUT /bucket/key kind={signed,signed-trailer} spoil={0,2,-2,-1} body=$large
--- answers: 8x 403 error SignatureDoesNotMatch
--- no_error_log
connect to 127.0.0.1

=== TEST 15: wrong checksums
--- upload: PUT /bucket/key kind={signed-trailer,unsigned} checksum=x-amz-checksum-{crc32,md5,sha1,sha256,sha512} spoil_checksum=x body=hello
--- answers: 10x 400 error BadDigest
--- no_error_log
connect to 127.0.0.1

=== TEST 16: a wrong signature of the trailer
--- upload: PUT /bucket/key kind=signed-trailer spoil_trailer body=hello
--- refused: 403 SignatureDoesNotMatch

=== TEST 17: the decoded length off by one
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} decoded={4,6} body=hello
--- answers: 6x 400 error IncompleteBody
--- no_error_log
connect to 127.0.0.1

=== TEST 18: no last chunk; bytes after the end
--- upload
PUT /bucket/key kind={signed,signed-trailer,unsigned} body=hello edit_body=s|\r\n0.*|\r\n|
PUT /bucket/key kind={signed,signed-trailer,unsigned} body=hello edit_body=s|\z|x|
--- answers
3x 400 error IncompleteBody
3x 400 error [A-Za-z]+
--- no_error_log
connect to 127.0.0.1

=== TEST 19: no length at all
--- raw_request eval: my ($headers) = S3Sign::v4_upload(); raw('PUT /bucket/key', $headers =~ s/^Content-Length.*\n//mr)
--- refused: 411 MissingContentLength

=== TEST 20: a rejected body is answered in the style of s3_errors, whatever error_page says
--- location: s3_errors s3proxy; error_page 400 403 /other;
--- upload: PUT /bucket/key body=hello spoil=0
--- response_headers
Content-Type: application/json
--- answers: 403 ^\{"error": "The request signature

=== TEST 21: unbuffered: what is wrong comes out late, and the origin lacks the end
--- location: $TEST_NGINX_UNBUFFERED
--- upload
PUT /t21/key te={0,5000} body=$large kind=signed spoil={2,-2,-1}
PUT /t21/key te={0,5000} body=$large kind=signed-trailer spoil_trailer
PUT /t21/key te={0,5000} body=$large kind=unsigned spoil_checksum=x
--- answers
8x 403 error SignatureDoesNotMatch
2x 400 error BadDigest

=== TEST 22: nothing of them is whole
--- request
GET /_log/t21
--- response_body_like: ^(?:A reset unverified [^\n]*\n){10}$

=== TEST 23: a retry is framed and signed again, whatever was sent before: from memory, from a file, both plain and framed
--- http_config eval: upstream('both', '') . upstream('first', 'A') . upstream('second', 'B') . upstream('none', 'AB')
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location /both/   { proxy_pass http://both;   client_body_buffer_size 2m; }
    location /first/  { proxy_pass http://first;  client_body_buffer_size 8k; }
    location /second/ { proxy_pass http://second; client_body_buffer_size 8k; }
    location /none/   { proxy_pass http://none;   client_body_buffer_size 2m; }
--- upload: PUT /{both,first,second,none}/key kind={signed,signed-trailer,unsigned} body=$large mock=A=partial:70000
--- answers
6x 200 ^origin B\nverified yes\n.*key AKIDORIGINB\n.*data 300000 $hash
6x 200 ^origin B\nverified yes\n.*key AKIDORIGINB\n.*body 300000 $hash

=== TEST 24: and so it is after a try that nobody took
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- location: $TEST_NGINX_UNBUFFERED proxy_pass http://u;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} te={0,5000} body=$large
--- answers: 6x 200 ^origin B\nverified yes.*data 300000 $hash

=== TEST 25: after a rejected upload the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- location: $TEST_NGINX_UNBUFFERED proxy_pass http://u;
--- upload
PUT /t25/key body=$large
PUT /t25/key body=$large
PUT /t25/key body=$large spoil=3
PUT /t25/key body=$large
PUT /t25/key body=$large kind=unsigned spoil_checksum=x
PUT /t25/key body=$large
--- answers
200 connection \d+ request 1\n.*data
200 connection \d+ request 2\n.*data
403 SignatureDoesNotMatch
200 connection \d+ request 1\n.*data
400 BadDigest
200 connection \d+ request 1\n.*data

=== TEST 26: what the origins have seen of it, in any order, since a connection that breaks off may be noticed late
--- request
GET /_log/t25
--- response_body_like: ^(?=(?:[^\n]*\n){6}$)(?:(?:A 200 verified [^\n]*\n)*A reset unverified [^\n]*\n){2}(?:A 200 verified [^\n]*\n)*$

=== TEST 27: an origin that answers early, unbuffered
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key body=$large mock=A=early:503
--- answers: 50[23]

=== TEST 28: a client that leaves in the middle, unbuffered: the origin has no more than a part
--- location: $TEST_NGINX_UNBUFFERED
--- init: leave('/t28', substr upload(path => '/t28/key', data => $large), 0, 200_000)
--- request
GET /_log/t28
--- response_body_like: ^A reset unverified [^\n]*\n$

=== TEST 29: and buffered: it has nothing
--- upload: PUT /t29/key body=$large first=200000
--- shutdown
--- ignore_response
--- error_log
client prematurely closed connection
--- no_error_log
connect to 127.0.0.1

=== TEST 30: Expect: 100-continue is answered once the head is verified
--- location: $TEST_NGINX_UNBUFFERED
--- upload
PUT /bucket/key kind=unsigned body=hello pieces=head
    unsigned Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 31: and not before
--- upload
PUT /bucket/key body=hello tamper pieces=head
    unsigned Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- refused: 403 SignatureDoesNotMatch

=== TEST 32: bodies that nginx keeps in files, or in one buffer
--- config
    $TEST_NGINX_CLIENT
    location /file/ { s3_resign on; proxy_pass http://origin_a; client_body_in_file_only clean; }
    location /buffer/ { s3_resign on; proxy_pass http://origin_a; client_body_in_single_buffer on; client_body_buffer_size 512k; }
--- upload: PUT /{file,buffer}/key kind={signed,signed-trailer,unsigned} body=$large
--- answers: 6x 200 verified yes.*data 300000 $hash

=== TEST 33: a decoded body does not leave a location that does not sign
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @off; }
    location @off { s3_resign off; proxy_pass http://origin_b; }
--- upload: PUT /bucket/key body=$large mock=A=503
--- error_code: 500
--- error_log
a body that was decoded is not forwarded

=== TEST 34: another location that signs sends it once more
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
    location @on { s3_resign on; proxy_pass http://origin_b; }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} body=$large mock=A=503
--- answers: 3x 200 ^origin B\nverified yes.*data 300000 $hash

=== TEST 35: framing= has two values
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A framing=drop; }
--- must_die
--- error_log
"s3_origin default": "framing=drop" is neither "keep" nor "decode"

=== TEST 36: bodies cut anywhere
--- upload
PUT /bucket/key kind=signed         body=hello cut={0..176}
PUT /bucket/key kind=signed-trailer body=hello cut={0..295}
PUT /bucket/key kind=unsigned       body=hello cut={0..43}
--- answers: all 40[03] <Code>IncompleteBody<
--- no_error_log
connect to 127.0.0.1

=== TEST 37: the answers' place in the log
--- http_config
    log_format errors '$status $s3_error $s3_access_key $s3_auth';
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log errors;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- upload: PUT /bucket/key body=hello spoil=0
--- refused: 403 SignatureDoesNotMatch
--- access_log
403 SignatureDoesNotMatch AKIDCLIENT v4-header
--- error_log
rejected SignatureDoesNotMatch

=== TEST 38: a rejected upload ends the connection, and the answer says so
--- upload
PUT /bucket/key spoil=0 body=""
    unsigned Connection: keep-alive
--- refused: 403 SignatureDoesNotMatch
--- response_headers
Connection: close

=== TEST 39: no trailer announced and none there, as S3 takes it of unsigned bodies; one that is there unannounced
--- upload
PUT /bucket/key kind=unsigned checksum="" te={0,7} body=$large
PUT /bucket/key kind=unsigned checksum="" body=hello edit_body=s|\r\n\z|x-amz-checksum-crc32:NhCmhg==\r\n\r\n|
PUT /bucket/key kind=signed-trailer checksum="" body=hello
--- answers
2x 200 verified yes\n.*data 300000 $hash
2x 400 error MalformedTrailerError

=== TEST 40: chunks of 4 MiB, and one of more than 16 MiB, buffered
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size={4194304,20000000} body=$huge
--- answers: 6x 200 verified yes\n.*data 17100000 $huge_hash

=== TEST 41: unbuffered, and by its length it goes out in chunks of 64 KiB
--- location: $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size=20000000 body=$huge
--- answers
200 verified yes\n.*header Content-Length: 17123575\n.*data 17100000 $huge_hash
200 verified yes\n.*header Content-Length: 17123696\n.*data 17100000 $huge_hash
200 verified yes\n.*header Content-Length: 17102384\n.*data 17100000 $huge_hash

=== TEST 42: framing=decode
--- http_config eval: upstream('u', 'A')
--- location: $TEST_NGINX_UNBUFFERED proxy_pass http://u;
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size=20000000 body=$huge
--- answers: 3x 200 verified yes\n.*header Content-Length: 17100000\n.*body 17100000 $huge_hash

=== TEST 43: a wrong signature of it, which comes when the origin has most of it
--- location: $TEST_NGINX_UNBUFFERED
--- upload
PUT /t43/key kind={signed,signed-trailer} size=20000000 body=$huge spoil=0
PUT /t43/key kind=unsigned size=20000000 body=$huge spoil_checksum=x
--- answers
2x 403 error SignatureDoesNotMatch
400 error BadDigest
--- error_log
rejected SignatureDoesNotMatch
(chunk at byte 0 of the data: the signature of its 17100000 bytes does not match), access key "AKIDCLIENT"
(trailer: not the CRC32 of the data), access key "AKIDCLIENT"

=== TEST 44: nothing of it is whole
--- request
GET /_log/t43
--- response_body_like: ^(?:A reset unverified [^\n]*\n){3}$

=== TEST 45: what is wrong, and where, is in the log
--- upload
PUT /bucket/key kind=unsigned body=$large edit_body=s|10000\r\n|secret\r\n|
PUT /bucket/key kind=unsigned body=$large edit_body=s|\r\n10000\r\n|\r\nfffffff\r\n|
PUT /bucket/key kind=signed body=$large spoil=-2
PUT /bucket/key kind=signed body=hello edit_body=s|hello|hell|
PUT /bucket/key kind=signed body=hello edit_body=s|\z|x|
PUT /bucket/key kind=signed-trailer body=hello spoil_trailer
PUT /bucket/key kind=unsigned body=hello cut=20
--- answers
2x 400 error IncompleteBody
2x 403 error SignatureDoesNotMatch
400 error IncompleteBody
403 error SignatureDoesNotMatch
400 error IncompleteBody
--- error_log
rejected IncompleteBody: The request body is not in aws-chunked framing. (chunk at byte 0 of the data: the line before its data cannot be read)
(chunk at byte 65536 of the data: 268435455 bytes, where 234464 are missing)
(chunk at byte 262144 of the data: the signature of its 37856 bytes does not match)
(chunk at byte 0 of the data: the signature of its 5 bytes does not match)
(bytes after the last chunk)
(trailer: its signature does not match)
(all data is there, but the body ends before its framing does)
--- no_error_log
secret

=== TEST 46: small chunks, as S3 rejects them
--- location: s3_small_chunks off; client_body_buffer_size 2m;
--- upload
PUT /bucket/key kind={signed,signed-trailer,unsigned} size=8192 body=$large
PUT /bucket/key kind={signed,signed-trailer,unsigned} size=8191 body=$large
PUT /bucket/key kind={signed,signed-trailer,unsigned} size=8191 body=hello
--- answers
3x 200 verified yes\n.*data 300000 $hash
3x 403 <Code>InvalidChunkSizeError</Code>.*less than 8192 bytes</Message><Chunk>2</Chunk><BadChunkSize>8191</BadChunkSize>
3x 200 verified yes
--- error_log
(chunk at byte 8191 of the data: the one before has 8191 bytes alone)

=== TEST 47: unbuffered
--- location: s3_small_chunks off; $TEST_NGINX_UNBUFFERED
--- upload: PUT /bucket/key kind={signed,unsigned} size=100 body=$large
--- answers: 2x 403 error InvalidChunkSizeError

=== TEST 48: elsewhere, and where it is said
--- config
    $TEST_NGINX_CLIENT
    s3_small_chunks off;
    location / { s3_resign on; s3_small_chunks on; client_body_buffer_size 2m; proxy_pass http://origin_a; }
--- upload: PUT /bucket/key kind={signed,signed-trailer,unsigned} size=100 body=$large
--- answers: 3x 200 verified yes\n.*data 300000 $hash
