# s3_verify_payload: the hash that a client signed for its body is checked here
# too, and of a body that is another one the origin must not get the whole.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $hash  = Digest::SHA::sha256_hex($large);
our $wrong = substr($large, 0, -1) . '!';
our $nothing = Digest::SHA::sha256_hex('');

our $unbuffered = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

# What the tests upload, by name: made once, since their dates are signed.
our %uploads = (
    # Each with Content-Length, then with Transfer-Encoding: chunked.
    good  => [map { my $te = $_; map { up(body => $_, te => $te) } $large, 'hello', 'x' } 0, 5000],
    wrong => [map { my $te = $_; (up(body => $large, sent => $wrong, te => $te),
        up(body => "$large ", sent => $large, te => $te), up(body => 'x', sent => 'y', te => $te)) } 0, 5000],
    bodiless => [map { my $m = $_; map { up(method => $m, unsigned => $_) } [], ['content-length', 0] } qw(GET HEAD DELETE PUT)],
    empty  => [up(te => 1)],
    lacking => [map { my $m = $_; map { up(method => $m, body => 'x', sent => '', unsigned => $_) } [], ['content-length', 0] } qw(GET DELETE PUT)],
    lacking_chunked => [up(path => '/lacking/key', body => 'x', sent => '', te => 1)],
    late => [map { my $te = $_; map { up(path => '/late/key', body => $large, sent => $_, te => $te) } $wrong, "${large}x" } 0, 5000],
    others => [up(payload => 'UNSIGNED-PAYLOAD', body => 'hello'), map { framed(kind => $_, data => $large) } qw(signed unsigned)],
    methods => [map { my $m = $_; map { up(method => $m, path => '/bucket/', query => 'delete', body => '<Delete/>', sent => $_) } '<Delete/>', '<delete/>' } qw(GET POST)],
    retried => [map { my $te = $_; map { up(body => $large, te => $te, unsigned => ['x-mock', $_]) } 'A=partial:70000', 'A=drop' } 0, 5000],
    poison => [map { my $te = $_; map { up(path => '/poison/key', body => $large, sent => $_, te => $te) } $large, $large, $wrong, $large } 0, 5000],
    busy => [up(path => '/busy/key', body => $large, unsigned => ['x-mock', 'A=503'])],
    one_wrong => [up(body => 'hello', sent => 'hallo')],
);

# The request and the headers of an upload: body is signed, sent is sent, in
# chunks of te bytes.
sub up {
    my %o = (path => '/bucket/key', method => 'PUT', query => '', body => '', @_);
    my $body = $o{sent} // $o{body};
    my $headers = S3Sign::v4_headers(%o);
    if ($o{te}) {
        $headers .= "Transfer-Encoding: chunked\n";
        $body = chunked($body, $o{te});
    }
    my $target = length $o{query} ? "$o{path}?$o{query}" : $o{path};
    return { request => "$o{method} $target" . (length $body ? "\n$body" : ''), headers => $headers };
}

sub framed {
    my ($headers, $body) = S3Sign::v4_upload(@_);
    return { request => "PUT /bucket/key\n$body", headers => $headers };
}

sub chunked {
    my ($body, $size) = @_;
    return join('', map { sprintf("%x\r\n%s\r\n", length, $_) } unpack "(a$size)*", $body) . "0\r\n\r\n";
}

sub requests { return [map { $_->{request} } @{ $uploads{ +shift } }] }
sub headers  { return [map { $_->{headers} } @{ $uploads{ +shift } }] }

sub with {
    my ($settings, $upstream) = @_;
    $upstream //= 'origin_a';
    return "$ENV{TEST_NGINX_CLIENT} s3_verify_payload on;
        location / { s3_resign on; proxy_pass http://$upstream; $settings }";
}

our @whole = map { "verified yes\n.*body " . join ' ', length, Digest::SHA::sha256_hex($_) } $large, 'hello', 'x';
our @mismatch = (s3_error('XAmzContentSHA256Mismatch')) x 6;

prepare();
run_tests();

__DATA__

=== TEST 1: the right bodies, in memory
--- config eval: with('client_body_buffer_size 2m;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [@whole, @whole]

=== TEST 2: in a file
--- config eval: with('client_body_buffer_size 8k;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [@whole, @whole]

=== TEST 3: in a file always, by sendfile
--- config eval: with('client_body_in_file_only clean; sendfile on;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [@whole, @whole]

=== TEST 4: unbuffered
--- config eval: with($unbuffered)
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [@whole, @whole]

=== TEST 5: unbuffered, byte by byte
--- config eval: with($unbuffered)
--- raw_request eval
[unpack '(a300)(a)*', raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello') . "Content-Length: 5\n") . 'hello']
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 6: and in chunks
--- config eval: with($unbuffered)
--- raw_request eval
[unpack '(a300)(a)*', raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello') . "Transfer-Encoding: chunked\n") . chunked('hello', 2)]
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 7: the wrong ones: another end, a shorter one, another byte
--- config eval: with('client_body_buffer_size 2m;')
--- request eval: requests('wrong')
--- more_headers eval: headers('wrong')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [@mismatch]
--- no_error_log
connect to 127.0.0.1

=== TEST 8: from a file
--- config eval: with('client_body_buffer_size 8k;')
--- request eval: requests('wrong')
--- more_headers eval: headers('wrong')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [@mismatch]
--- no_error_log
connect to 127.0.0.1

=== TEST 9: from a file always
--- config eval: with('client_body_in_file_only clean; sendfile on;')
--- request eval: requests('wrong')
--- more_headers eval: headers('wrong')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [@mismatch]
--- no_error_log
connect to 127.0.0.1

=== TEST 10: unbuffered: it comes out late
--- config eval: with($unbuffered)
--- request eval: requests('late')
--- more_headers eval: headers('late')
--- error_code eval: [(400) x 4]
--- response_body_like eval: [@mismatch[0 .. 3]]

=== TEST 11: and the origin lacks the end
--- request
GET /_log/late
--- response_body_like: ^(?:A incomplete unverified [^\n]*\n){4}$

=== TEST 12: no body: nothing to verify
--- config eval: with('')
--- request eval: requests('bodiless')
--- more_headers eval: headers('bodiless')
--- error_code eval: [(200) x 8]
--- response_headers eval: [("X-Verified: yes") x 8]

=== TEST 13: an empty one
--- config eval: with('')
--- request eval: requests('empty')
--- more_headers eval: headers('empty')
--- error_code: 200
--- response_body_like: verified yes\n.*body 0 

=== TEST 14: an empty one, unbuffered
--- config eval: with($unbuffered)
--- request eval: requests('empty')
--- more_headers eval: headers('empty')
--- error_code: 200
--- response_body_like: verified yes\n.*body 0 

=== TEST 15: no body where one is signed
--- config eval: with($unbuffered)
--- request eval: requests('lacking')
--- more_headers eval: headers('lacking')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [@mismatch]
--- no_error_log
connect to 127.0.0.1

=== TEST 16: an empty one where one is signed
--- config eval: with('')
--- request eval: requests('lacking_chunked')
--- more_headers eval: headers('lacking_chunked')
--- refused: 400 XAmzContentSHA256Mismatch

=== TEST 17: the same, unbuffered, when the head may be gone already
--- config eval: with($unbuffered)
--- raw_request eval
my ($upload) = @{ $uploads{lacking_chunked} };
[raw('PUT /lacking/key', $upload->{headers}), "0\r\n\r\n"]
--- raw_request_middle_delay: 0.3
--- error_code: 400
--- response_body_like: <Code>XAmzContentSHA256Mismatch<

=== TEST 18: which is no request
--- request
GET /_log/lacking
--- response_body_like: ^A incomplete unverified [^\n]*\n$

=== TEST 19: one body sent for another, off by default: the origin is told the hash
--- request eval: requests('one_wrong')
--- more_headers eval: headers('one_wrong')
--- error_code: 200
--- response_headers
X-Verified: no: the body is not the one signed

=== TEST 20: a location turns off what its server turned on, and the other way round
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_verify_payload on;
    location / { proxy_pass http://origin_a; s3_verify_payload off; }
    location /on { proxy_pass http://origin_a; }
--- request eval: [@{ requests('one_wrong') }, "PUT /on/key\nhallo"]
--- more_headers eval: [@{ headers('one_wrong') }, h4(method => 'PUT', path => '/on/key', body => 'hello')]
--- error_code eval: [200, 400]
--- response_body_like eval: ['the body is not the one signed', $mismatch[0]]

=== TEST 21: other payloads are as they were
--- config eval: with('')
--- request eval: requests('others')
--- more_headers eval: headers('others')
--- error_code eval: [(200) x 3]
--- response_body_like eval: ['verified yes.*body 5 2cf24dba', ("verified yes.*data 300000 $hash") x 2]

=== TEST 22: presigned with a hash
--- config eval: with('')
--- request eval
my $sha = Digest::SHA::sha256_hex('hello');
my $signed = 'PUT ' . q4(method => 'PUT', payload => $sha, query => "X-Amz-Content-Sha256=$sha");
my $header = 'PUT ' . q4(method => 'PUT', payload => $sha, headers => ['x-amz-content-sha256', $sha]);
["$signed\nhello", "$signed\nhallo", "$header\nhello", "$header\nhallo"]
--- more_headers eval
my $sha = Digest::SHA::sha256_hex('hello');
[('') x 2, (qh(headers => ['x-amz-content-sha256', $sha])) x 2]
--- error_code eval: [200, 400, 200, 400]
--- response_body_like eval: ['body 5 2cf24dba', $mismatch[0], 'body 5 2cf24dba', $mismatch[0]]

=== TEST 23: presigned without one
--- config eval: with('')
--- request eval: 'PUT ' . q4(method => 'PUT') . "\nhallo"
--- passed: A
--- response_body_like: body 5 

=== TEST 24: whatever the method
--- config eval: with('')
--- request eval: requests('methods')
--- more_headers eval: headers('methods')
--- error_code eval: [200, 400, 200, 400]
--- response_body_like eval: ['body 9 ', $mismatch[0], 'body 9 ', $mismatch[0]]

=== TEST 25: a failed try is tried again
--- config eval: with('client_body_buffer_size 8k;', 'origin_ab')
--- request eval: requests('retried')
--- more_headers eval: headers('retried')
--- error_code eval: [(200) x 4]
--- response_body_like eval: [("^origin B\nverified yes\n.*body 300000 $hash") x 4]

=== TEST 26: unbuffered, where nobody took it
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config eval: with($unbuffered, 'u')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [map { "^origin B\n.*$_" } @whole, @whole]

=== TEST 27: after a refused body the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval: with($unbuffered, 'u')
--- request eval: requests('poison')
--- more_headers eval: headers('poison')
--- error_code eval: [(200, 200, 400, 200) x 2]
--- response_body_like eval
[map { $_ ? "request $_\n.*body 300000 $hash" : $mismatch[0] } 1, 2, 0, 1, 2, 3, 0, 1]

=== TEST 28: what the origin has seen of it
--- request
GET /_log/poison
--- response_body_like eval
'^' . join('', map { "A $_ [^\n]*\n" } ('200 verified', '200 verified', 'incomplete unverified', '200 verified') x 2) . '$'

=== TEST 29: Expect: 100-continue
--- config eval: with($unbuffered)
--- raw_request eval
[raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello', unsigned => ['expect', '100-continue']) . "Content-Length: 5\n"), 'hello']
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*body 5 2cf24dba

=== TEST 30: Expect, and the wrong body
--- config eval: with('')
--- raw_request eval
[raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello', unsigned => ['expect', '100-continue']) . "Content-Length: 5\n"), 'hallo']
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 400 .*<Code>XAmzContentSHA256Mismatch<
--- no_error_log
connect to 127.0.0.1

=== TEST 31: no 100 Continue for a request without a body
--- config eval: with('')
--- raw_request eval
[raw('PUT /bucket/key', h4(method => 'PUT', body => 'hello', unsigned => ['expect', '100-continue']) . "Content-Length: 0\n")]
--- refused: 400 XAmzContentSHA256Mismatch

=== TEST 32: answered in the style of s3_errors, whatever error_page says, and noted
--- http_config
    log_format errors '$status $s3_error $s3_access_key $s3_auth';
--- config eval: with('s3_errors s3proxy; error_page 400 /other; access_log logs/access.log errors;')
--- request eval: requests('one_wrong')
--- more_headers eval: headers('one_wrong')
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"error": "The provided 'x-amz-content-sha256' header
--- access_log
400 XAmzContentSHA256Mismatch AKIDCLIENT v4-header
--- error_log
refused XAmzContentSHA256Mismatch

=== TEST 33: a client that leaves in the middle: the origin has no more than a part
--- config eval: with($unbuffered)
--- init: leave('/gone', raw('PUT /gone/key', h4(path => '/gone/key', method => 'PUT', body => $large) . "Content-Length: 300000\n") . substr $large, 0, 200_000)
--- request
GET /_log/gone
--- response_body_like: ^A incomplete unverified [^\n]*\n$

=== TEST 34: and buffered: it has nothing
--- config eval: with('')
--- raw_request eval: raw('PUT /gone/buffered', h4(path => '/gone/buffered', method => 'PUT', body => $large) . "Content-Length: 300000\n") . substr $large, 0, 200_000
--- shutdown
--- ignore_response
--- error_log
client prematurely closed connection
--- no_error_log
connect to 127.0.0.1

=== TEST 35: once verified, another location may send it, one that signs and one that does not
--- config eval
my $location = sub { "location $_[0] { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = $_[1]; }" };
"$ENV{TEST_NGINX_CLIENT} s3_verify_payload on;" . $location->('/', '@on') . $location->('/busy/', '@off')
. 'location @on { s3_resign on; proxy_pass http://origin_b; } location @off { s3_resign off; proxy_pass http://origin_b; }'
--- request eval: [map { $_->[0]{request} } [up(body => $large)], $uploads{busy}]
--- more_headers eval: [up(body => $large, unsigned => ['x-mock', 'A=503'])->{headers}, $uploads{busy}[0]{headers}]
--- error_code eval: [200, 200]
--- response_body_like eval: ["^origin B\nverified yes.*body 300000 $hash", "^origin B\nverified no.*body 300000 $hash"]

=== TEST 36: one that was read where it was not verified is not forwarded from where it must be
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @strict; }
    location @strict { s3_resign on; s3_verify_payload on; proxy_pass http://origin_b; }
--- request eval: requests('busy')
--- more_headers eval: headers('busy')
--- error_code: 500
--- error_log
its body was read before the request was verified

=== TEST 37: a body that nginx keeps in a file
--- config eval: with('client_body_in_file_only clean;')
--- request eval: ["PUT /bucket/key\nhello", "PUT /bucket/key\nhallo"]
--- more_headers eval: [(h4(method => 'PUT', body => 'hello')) x 2]
--- error_code eval: [200, 400]
--- response_body_like eval: ['body 5 2cf24dba', '<Code>XAmzContentSHA256Mismatch<']

=== TEST 38: more than client_max_body_size is nginx's business
--- config eval: with('client_max_body_size 10;')
--- request eval: "PUT /bucket/key\n" . 'x' x 11
--- more_headers eval: h4(method => 'PUT', body => 'x')
--- error_code: 413
--- no_error_log
connect to 127.0.0.1
