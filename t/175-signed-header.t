# s3_signed_header: something in front has changed a header that the client signed.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# A client that signs a header, of which another value arrives.
sub changed {
    my ($name, $signed, $sent, @more) = @_;
    return h4(headers => [$name => $signed], @more) =~ s/^\Q$name\E: .*\n/$sent/mir;
}

our $location = "$ENV{TEST_NGINX_CLIENT} s3_signed_header Accept-Encoding \$http_x_original_accept_encoding;";
our $original = "Accept-Encoding: gzip, br\nX-Original-Accept-Encoding: identity\n";

prepare();
run_tests();

__DATA__

=== TEST 1: the value that was signed is told, and the one that came goes on
--- config eval: "$location location / { s3_resign on; proxy_pass http://origin_a; }"
--- request
GET /bucket/key
--- more_headers eval: changed('accept-encoding', 'identity', $original)
--- passed: A
--- response_body_like: header [Aa]ccept-[Ee]ncoding: gzip, br\n

=== TEST 2: without the directive it is another request
--- request
GET /bucket/key
--- more_headers eval: changed('accept-encoding', 'identity', $original)
--- refused: 403 SignatureDoesNotMatch

=== TEST 3: another value is another request
--- config eval: "$location location / { s3_resign on; proxy_pass http://origin_a; }"
--- request
GET /bucket/key
--- more_headers eval: changed('accept-encoding', 'identity', $original =~ s/identity/deflate/r)
--- refused: 403 SignatureDoesNotMatch

=== TEST 4: an empty value stands for the header as it came
--- config eval: "$location location / { s3_resign on; proxy_pass http://origin_a; }"
--- request
GET /bucket/key
--- more_headers eval: h4(headers => ['accept-encoding' => 'identity'])
--- passed: A

=== TEST 5: one that is gone, came twice, or was not signed
--- config eval: "$location location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: [('GET /bucket/key') x 3]
--- more_headers eval
[changed('accept-encoding', 'identity', "X-Original-Accept-Encoding: identity\n"),
 changed('accept-encoding', 'identity', "Accept-Encoding: gzip\nAccept-Encoding: br\nX-Original-Accept-Encoding: identity\n"), h4() . $original]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [('verified yes') x 3]

=== TEST 6: a fixed value, several headers, and presigned
--- config
    $TEST_NGINX_CLIENT
    s3_signed_header Via fixed;
    s3_signed_header User-Agent "a $arg_x";
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['GET /bucket/key', 'GET ' . q4(headers => [via => 'fixed'])]
--- more_headers eval: [h4(headers => ['user-agent' => 'a', via => 'fixed']) =~ s/^(via|user-agent): .*/$1: changed/gmir, 'Via: changed']
--- error_code eval: [200, 200]
--- response_body_like eval: ['verified yes.*header [Vv]ia: changed', 'verified yes.*header [Vv]ia: changed']

=== TEST 7: a location's lines replace those around it
--- config eval
"$location location / { s3_resign on; s3_signed_header Via v; proxy_pass http://origin_a; } "
    . "location /bucket/inner { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: ['GET /bucket/key', 'GET /bucket/inner', 'GET /bucket/key']
--- more_headers eval
[changed('accept-encoding', 'identity', $original), changed('accept-encoding', 'identity', $original, path => '/bucket/inner'), changed('via', 'v', "Via: w\n")]
--- error_code eval: [403, 200, 200]

=== TEST 8: a value with a line break in it verifies nothing
--- config
    $TEST_NGINX_CLIENT
    s3_signed_header Via "a\nx-amz-meta-b:c";
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request
GET /bucket/key
--- more_headers eval: h4(headers => [via => 'a'])
--- error_code: 400
