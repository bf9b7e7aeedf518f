# What the origin receives: the canonical path and query, its own host, key and
# region, the client's headers, and a signature of all that goes on the wire
# whatever proxy_* lines the configuration has. The origin verifies each.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our @paths = (
    # on the wire from the client        to the origin
    ['/bucket/a%20b'                  => '/bucket/a%20b'],
    ['/bucket/a+b'                    => '/bucket/a%20b'],
    ['/bucket/a%2Bb'                  => '/bucket/a%2Bb'],
    ['/bucket/a%25b'                  => '/bucket/a%25b'],
    ['/bucket/a%2520b'                => '/bucket/a%2520b'],
    ['/bucket/a%2fb%2Fc'              => '/bucket/a/b/c'],
    ['/bucket//a///b/'                => '/bucket//a///b/'],
    ['/bucket/a/../b'                 => '/bucket/a/../b'],
    ['/bucket/./a/.'                  => '/bucket/./a/.'],
    ['/bucket/b/%2e%2e/a'             => '/bucket/b/../a'],
    ['/bucket/%7Ea~'                  => '/bucket/~a~'],
    ['/bucket/%61%3a%40%3D'           => '/bucket/a%3A%40%3D'],
    ["/bucket/!*'()[]"                => '/bucket/%21%2A%27%28%29%5B%5D'],
    ['/bucket/$&,;=:@'                => '/bucket/%24%26%2C%3B%3D%3A%40'],
    ["/bucket/gr\xc3\xbc\xc3\x9fe"    => '/bucket/gr%C3%BC%C3%9Fe'],
    ['/bucket/gr%c3%bc%c3%9fe'        => '/bucket/gr%C3%BC%C3%9Fe'],
    ['/bucket/%F0%9F%92%BE'           => '/bucket/%F0%9F%92%BE'],
    ['/bucket/%FF%FE'                 => '/bucket/%FF%FE'],
    ['/bucket/%0d%0aX:%20y'           => '/bucket/%0D%0AX%3A%20y'],
    ['/bucket/a%3Fb%23c'              => '/bucket/a%3Fb%23c'],
    ['/bucket/' . 'k' x 1000          => '/bucket/' . 'k' x 1000],
    ['/bucket/' . '%C3%BC' x 500      => '/bucket/' . '%C3%BC' x 500],
    ['/'                              => '/'],
    ['/bucket'                        => '/bucket'],
    ['/bucket/'                       => '/bucket/'],
);
our @queries = (
    ['b=2&a=1&a=0&c'                    => 'a=0&a=1&b=2&c='],
    ['prefix=a%2fb+c%2B&delimiter=/'    => 'delimiter=%2F&prefix=a%2Fb%20c%2B'],
    ['list-type=2&prefix=%C3%BC&marker='=> 'list-type=2&marker=&prefix=%C3%BC'],
    ['a==b=&&=c'                        => '=c&a=%3Db%3D'],
    ['A=1&a=2&%41=0'                    => 'A=0&A=1&a=2'],
    ['a-b=1&a=2&a.b=3&a%20b=4'          => 'a=2&a%20b=4&a-b=1&a.b=3'],
    ['prefix=a?b'                       => 'prefix=a%3Fb'],
);

# A block that sets these proxy_* lines in the location.
sub with {
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; $_[0] }";
}

prepare();
run_tests();

__DATA__

=== TEST 1: each key arrives in its canonical form
--- request eval: [map { "GET $_->[0]" } @paths]
--- more_headers eval: [map { h4(path => $_->[0]) } @paths]
--- error_code eval: [(200) x @paths]
--- response_body_like eval: [map { qr{^origin A\nverified yes\n.*\nline GET \Q$_->[1]\E HTTP}s } @paths]

=== TEST 2: the same, presigned
--- request eval: [map { 'GET ' . q4(path => $_->[0]) } @paths]
--- error_code eval: [(200) x @paths]
--- response_body_like eval: [map { qr{^origin A\nverified yes\nauth query\n.*\nline GET \Q$_->[1]\E\?X-Amz-}s } @paths]

=== TEST 3: the same, with merge_slashes off
--- config eval: with('') . 'merge_slashes off;'
--- request eval: [map { "GET $_->[0]" } @paths]
--- more_headers eval: [map { h4(path => $_->[0]) } @paths]
--- error_code eval: [(200) x @paths]
--- response_body_like eval: [map { qr{^origin A\nverified yes\n.*\nline GET \Q$_->[1]\E HTTP}s } @paths]

=== TEST 4: each query arrives in its canonical form
--- signed
GET /bucket?b=2&a=1&a=0&c
GET /bucket?prefix=a%2fb+c%2B&delimiter=/
GET /bucket?list-type=2&prefix=%C3%BC&marker=
GET /bucket?a==b=&&=c
GET /bucket?A=1&a=2&%41=0
GET /bucket?a-b=1&a=2&a.b=3&a%20b=4
GET /bucket?prefix=a?b
--- error_code eval: [(200) x @queries]
--- response_body_like eval: [map { qr{^origin A\nverified yes\n.*\nline GET /bucket\?\Q$_->[1]\E HTTP}s } @queries]

=== TEST 5: and beside presigned parameters
--- presigned
GET /bucket?b=2&a=1&a=0&c
GET /bucket?prefix=a%2fb+c%2B&delimiter=/
GET /bucket?list-type=2&prefix=%C3%BC&marker=
GET /bucket?a==b=&&=c
GET /bucket?A=1&a=2&%41=0
GET /bucket?a-b=1&a=2&a.b=3&a%20b=4
GET /bucket?prefix=a?b
--- answers: 7x 200 ^origin A\nverified yes\nauth query

=== TEST 6: an empty query
--- signed: GET /bucket?
--- passed: A
--- response_body_like: line GET /bucket HTTP

=== TEST 7: the origin's host, key and region
--- signed: GET /bucket/key host=s3.example.com region=ap-south-1
--- passed: A
--- response_body_like eval
qr{auth header\nkey AKIDORIGINA\nregion us-east-1\n.*header [Hh]ost: \Q$ENV{TEST_NGINX_A}\E\n}s

=== TEST 8: without a region of its own the origin gets the client's
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin default access_key=AKIDORIGINA secret_key=oRiGiNa+sEcReT/0123456789abcdefghijklmno; }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed
GET /bucket/key
GET /bucket/key region=ap-south-1
--- answers
200 verified yes
200 verified no: region ap-south-1 is not mine

=== TEST 9: host= of the origin, and a port in it
--- http_config
    upstream u1 { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A host=s3.example.com; }
    upstream u2 { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A host=s3.example.com:9000; }
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://u1; }
    location /two { proxy_pass http://u2; }
--- signed
GET /bucket/key
GET /two/key
--- answers
200 verified yes.*header [Hh]ost: s3\.example\.com\n
200 verified yes.*header [Hh]ost: s3\.example\.com:9000\n

=== TEST 10: an origin's session token, in both forms; the client's goes no further
--- http_config
    upstream u { server $TEST_NGINX_C; s3_origin default $TEST_NGINX_CRED_C; }
--- config
    $TEST_NGINX_CLIENT
    s3_client AKIDTEMPORARY secret_key=s session_token=client/token;
    location / { s3_resign on; proxy_pass http://u; }
--- signed
GET /bucket/key
presigned GET /bucket/key
GET /bucket/key key=AKIDTEMPORARY secret=s token=client/token
--- answers
200 verified yes.*(?i:x-amz-security-token): ToKeN/of\+C==
200 verified yes.*X-Amz-Security-Token=ToKeN%2Fof%2BC%3D%3D
200 ^(?!.*client/token).*verified yes

=== TEST 11: headers of the client pass through
--- signed
PUT /bucket/key body=hello
    x-amz-meta-a: One  Two
    content-md5: XUFAKrxLKna5cZ2REBfFkg==
    content-type: a/b; c=d
    unsigned Range: bytes=0-1
    unsigned If-None-Match: "x"
    unsigned If-Modified-Since: Tue, 27 Mar 2007 19:36:42 GMT
    unsigned Content-Encoding: gzip
    unsigned Content-Disposition: inline
    unsigned Cache-Control: no-cache
    unsigned User-Agent: test/1
--- passed: A
--- response_body_like eval
qr{^(?=.*signed\ content-md5;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a\n)
(?=.*\nheader\ x-amz-meta-a:\ One\ \ Two\n)(?=.*\nheader\ Range:\ bytes=0-1\n)(?=.*\nheader\ If-None-Match:\ "x"\n)
(?=.*\nheader\ If-Modified-Since:\ Tue,)(?=.*\nheader\ Content-Encoding:\ gzip\n)(?=.*\nheader\ Content-Disposition:\ inline\n)
(?=.*\nheader\ Cache-Control:\ no-cache\n)(?=.*\nheader\ User-Agent:\ test/1\n)(?!.*AKIDCLIENT)}xs

=== TEST 12: exactly one Authorization, one date, one host
--- signed: GET /bucket/key
--- passed: A
--- response_body_like eval
qr{^(?!(?:.*\nheader\ authorization:){2})(?!(?:.*\nheader\ x-amz-date:){2})(?!(?:.*\nheader\ host:){2})
(?!(?:.*\nheader\ x-amz-content-sha256:){2})}xsi

=== TEST 13: the date is fresh, not the client's
--- signed: GET /bucket/key skew=-10m
--- passed: A

=== TEST 14: a Date header of the client
--- request
GET /bucket/key
--- more_headers eval: h4(date => S3Sign::timestamp(time - 300), date_header => S3Sign::timestamp(time - 300))
--- passed: A

=== TEST 15: proxy_set_header Host
--- config eval: with('proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;')
--- signed: GET /bucket/key
--- passed: A
--- response_body_like eval: qr{header [Hh]ost: \Q$ENV{TEST_NGINX_A}\E\n.*header X-Real-IP: 127}s

=== TEST 16: proxy_set_header Host, without a Host at all
--- config eval: with('proxy_set_header Host "";')
--- signed: GET /bucket/key
--- passed: A

=== TEST 17: proxy_set_header Authorization
--- config eval: with('proxy_set_header Authorization "Basic abc";')
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: ^(?!.*Basic abc)

=== TEST 18: proxy_set_header Authorization with a presigned request
--- config eval: with('proxy_set_header Authorization "Basic abc";')
--- presigned: GET /bucket/key
--- passed: A
--- response_body_like: ^(?!.*Basic abc)

=== TEST 19: proxy_set_header Authorization ""
--- config eval: with('proxy_set_header Authorization "";')
--- signed: GET /bucket/key
--- passed: A

=== TEST 20: proxy_set_header of a date and a payload hash
--- config eval: with('proxy_set_header x-amz-date 20200101T000000Z; proxy_set_header X-Amz-Content-Sha256 "";')
--- signed: GET /bucket/key
--- passed: A

=== TEST 21: proxy_set_header of metadata, which is signed along
--- config eval: with('proxy_set_header x-amz-meta-foo "a  b"; proxy_set_header X-Amz-Storage-Class STANDARD_IA;')
--- signed: PUT /bucket/key body=hello
--- passed: A
--- response_body_like: signed host;x-amz-content-sha256;x-amz-date;x-amz-meta-foo;x-amz-storage-class\n

=== TEST 22: proxy_set_header takes away a signed header
--- config eval: with('proxy_set_header x-amz-acl "";')
--- signed
PUT /bucket/key
    x-amz-acl: public-read
--- passed: A
--- response_body_like: ^(?!.*public-read)

=== TEST 23: proxy_set_header of metadata with a presigned request
--- config eval: with('proxy_set_header x-amz-meta-foo bar;')
--- presigned: PUT /bucket/key sent=hello
--- passed: A
--- response_body_like: signed host;x-amz-meta-foo\n

=== TEST 24: headers that are signed, set by hand: the signature's are written anew
--- config eval: with('proxy_set_header Host wrong; proxy_set_header Authorization wrong; proxy_set_header X-Amz-Date 20000101T000000Z; proxy_set_header X-Amz-Content-Sha256 wrong; proxy_set_header X-Amz-Security-Token wrong; proxy_set_header Content-MD5 "";')
--- presigned
signed PUT /bucket/key body=hello
    content-md5: XUFAKrxLKna5cZ2REBfFkg==
GET /bucket/key
--- answers: 2x 200 verified yes(?!.*wrong)

=== TEST 25: proxy_http_version 1.1 and keepalive headers
--- config eval: with('proxy_http_version 1.1; proxy_set_header Connection "";')
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: line GET /bucket/key HTTP/1\.1\n

=== TEST 26: proxy_http_version 1.0: a body in chunks is read whole, since it needs a length
--- config eval: with('proxy_http_version 1.0; proxy_request_buffering off;')
--- raw_request eval
raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello') . "Transfer-Encoding: chunked\n", "5\r\nhello\r\n0\r\n\r\n")
--- passed: A
--- response_body_like: line PUT /bucket/key HTTP/1\.0\n.*body 5 2cf24dba

=== TEST 27: rewrite ... break of a path with characters that are encoded
--- config
    $TEST_NGINX_CLIENT
    location /pub/ { s3_resign on; rewrite ^/pub/(.*)$ /bucket/$1 break; proxy_pass http://origin_a; }
--- presigned
signed GET /pub/%C3%BC%2B%25
GET /pub/a%20b
--- answers
200 verified yes.*line GET /bucket/%C3%BC%2B%25 HTTP
200 verified yes\nauth query.*line GET /bucket/a%20b\?X-Amz

=== TEST 28: rewrite ... break
--- config
    $TEST_NGINX_CLIENT
    location /pub/ { s3_resign on; rewrite ^/pub/(.*)$ /bucket/$1 break; proxy_pass http://origin_a; }
--- signed
GET /pub/a%20b
GET /pub/key?versionId=1
presigned GET /pub/key
--- answers
200 verified yes.*line GET /bucket/a%20b HTTP
200 verified yes.*line GET /bucket/key\?versionId=1 HTTP
200 verified yes\nauth query.*line GET /bucket/key\?X-Amz

=== TEST 29: rewrite that adds an argument
--- config
    $TEST_NGINX_CLIENT
    location /pub/ { s3_resign on; rewrite ^/pub/(.*)$ /bucket/$1?versionId=9 break; proxy_pass http://origin_a; }
--- signed: GET /pub/key
--- passed: A
--- response_body_like: line GET /bucket/key\?versionId=9 HTTP

=== TEST 30: a copy: the source goes along signed
--- signed
PUT /bucket/key
    x-amz-copy-source: /bucket/other%20key?versionId=1
--- passed: A
--- response_body_like: header x-amz-copy-source: /bucket/other%20key\?versionId=1\n

=== TEST 31: accept-encoding and hop-by-hop headers are not signed
--- signed
GET /bucket/key
    accept-encoding: gzip
    te: trailers
    unsigned Connection: close, x-y
--- passed: A
--- response_body_like: signed host;x-amz-content-sha256;x-amz-date\n

=== TEST 32: a header with an empty value, and many of them
--- signed
PUT /bucket/key
    x-amz-meta-empty:
    x-amz-meta-a: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-b: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-c: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-d: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-e: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-f: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-g: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-h: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-i: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-j: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-k: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-l: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-m: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-n: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-o: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-p: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-q: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-r: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-s: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-t: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-u: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-v: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-w: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-x: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-y: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
    x-amz-meta-z: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv
--- passed: A
--- response_body_like: x-amz-meta-empty;.*x-amz-meta-z\n

=== TEST 33: headers that nginx hides and adds
--- config eval: with('proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;') . 'underscores_in_headers on; ignore_invalid_headers off;'
--- signed
GET /bucket/key
    unsigned X_Odd: 1
--- passed: A

=== TEST 34: HEAD
--- signed: HEAD /bucket/key
--- passed: A
--- response_headers_like
X-Line: HEAD /bucket/key HTTP/1.[01]

=== TEST 35: large_client_header_buffers: a request line that needs the large ones
--- request eval: 'GET ' . q4(path => '/bucket/' . '%C3%BC' x 341, query => 'prefix=' . 'p' x 3000)
--- passed: A
