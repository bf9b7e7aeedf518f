# Uploads in aws-chunked framing: verified here chunk by chunk, framed and signed
# anew for the origin, or sent to it plain. Whatever is wrong with one, the origin
# must not get the whole of it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $hash  = Digest::SHA::sha256_hex($large);
our @kinds = qw(signed signed-trailer unsigned);

our $unbuffered = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

# What the tests upload, by name: made once, since their dates are signed.
our %uploads = (
    # Each kind with Content-Length, then each with Transfer-Encoding: chunked.
    good => [map { my $te = $_; map { up(kind => $_, te => $te, data => $large) } @kinds } 0, 5000],
    empty => [map { up(kind => $_, data => '') } @kinds],
    sizes => [map { my $c = $_; map { up(kind => $_, data => $large, size => $c, checksum => 'x-amz-checksum-sha256') } @kinds }
    8192, 10_000, 131_072, 1_000_000],
    same_sizes => [map { my $c = $_; map { up(kind => $_, data => $large, size => $c) } @kinds } 8192, 131_072],
    short => [map { up(kind => $_, edit_body => sub { $_[0] =~ s/\r\n\z//r }) } 'signed-trailer', 'unsigned'],
    signatures => [map { my $n = $_; map { up(kind => $_, data => $large, spoil => $n) } @kinds[0, 1] } 0, 2, -2, -1],
    checksums => [map { my $c = $_; map { up(kind => $_, spoil_checksum => 'x', checksum => "x-amz-checksum-$c") } @kinds[1, 2] }
    'crc32', 'sha1', 'sha256'],
    trailer => [up(kind => 'signed-trailer', spoil_trailer => 1)],
    off_by_one => [map { my $n = $_; map { up(kind => $_, decoded => $n) } @kinds } 4, 6],
    ends => [map { my $edit = $_; map { up(kind => $_, edit_body => $edit) } @kinds }
    sub { $_[0] =~ s/\r\n0.*/\r\n/sr }, sub { "$_[0]x" }],
    retried => [map {
        my $path = $_;
        map { my $kind = $_; map { up(path => "/$path/key", kind => $kind, data => $large, @$_) }
            [unsigned => ['x-mock', 'A=partial:70000']] } @kinds
    } qw(both first second none)],
    poison => [map { up(path => '/t25/key', data => $large, @$_) } [], [], [spoil => 3], [],
        [kind => 'unsigned', spoil_checksum => 'x'], []],
    early => [up(data => $large, unsigned => ['x-mock', 'A=early:503'])],
    once => [up(data => $large, unsigned => ['x-mock', 'A=503'])],
    busy => [map { up(kind => $_, data => $large, unsigned => ['x-mock', 'A=503']) } @kinds],
    kept => [map { my $path = $_; map { up(path => "/$path/key", kind => $_, data => $large) } @kinds } 'file', 'buffer'],
    cut => [map { my $kind = $_; map { my $n = $_; up(kind => $kind, edit_body => sub { substr $_[0], 0, $n }) }
        0 .. length((S3Sign::v4_upload(kind => $kind, data => 'hello'))[1]) - ($kind eq 'signed' ? 1 : 3) } @kinds],
    styled => [up(spoil => 0)],
    late => [map { (
    up(path => '/t21/key', data => $large, kind => 'signed', spoil => 2, @$_),
    up(path => '/t21/key', data => $large, kind => 'signed', spoil => -2, @$_),
    up(path => '/t21/key', data => $large, kind => 'signed', spoil => -1, @$_),
    up(path => '/t21/key', data => $large, kind => 'signed-trailer', spoil_trailer => 1, @$_),
    up(path => '/t21/key', data => $large, kind => 'unsigned', spoil_checksum => 'x', @$_),
) } [], [te => 5000]],
);

# The request and the headers of an upload.
sub up {
    my %o = (path => '/bucket/key', data => 'hello', @_);
    my ($headers, $body) = S3Sign::v4_upload(%o);
    return { request => "PUT $o{path}\n$body", headers => $headers };
}

sub requests { return [map { $_->{request} } @{ $uploads{ +shift } }] }
sub headers  { return [map { $_->{headers} } @{ $uploads{ +shift } }] }

# A location with more settings, at origin A unless another is named.
sub with {
    my ($settings, $upstream) = @_;
    $upstream //= 'origin_a';
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://$upstream; $settings }";
}

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
--- config eval: with('client_body_buffer_size 2m;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes\n.*data 300000 $hash") x 6]

=== TEST 2: in a file
--- config eval: with('client_body_buffer_size 8k;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes\n.*data 300000 $hash") x 6]

=== TEST 3: in a file, by sendfile
--- config eval: with('client_body_in_file_only clean; sendfile on;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes\n.*data 300000 $hash") x 6]

=== TEST 4: unbuffered: the length is known ahead
--- config eval: with($unbuffered)
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes\n.*header Content-Length: 30\\d+\n.*data 300000 $hash") x 6]

=== TEST 5: framing=decode, buffered: the checksum is sent as a header
--- http_config eval: upstream('u', 'A')
--- config eval: with('client_body_buffer_size 8k;', 'u')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval
my @sum = ('', ('header x-amz-checksum-crc32: \S{8}\n.*') x 2);
[map { "verified yes\n.*${_}header Content-Length: 300000\n.*body 300000 $hash" } @sum, @sum]
--- response_body_unlike eval: [('aws-chunked|x-amz-decoded|x-amz-trailer') x 6]

=== TEST 6: framing=decode, unbuffered
--- http_config eval: upstream('u', 'A')
--- config eval: with($unbuffered, 'u')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval
[("verified yes\n.*header Content-Length: 300000\n.*body 300000 $hash") x 6]
--- response_body_unlike eval: [('aws-chunked|x-amz-decoded|x-amz-trailer|Transfer-Encoding') x 6]

=== TEST 7: nothing in it
--- request eval: requests('empty')
--- more_headers eval: headers('empty')
--- error_code eval: [(200) x 3]
--- response_body_like eval: [("verified yes\n.*data 0 e3b0c442") x 3]

=== TEST 8: nothing in it, unbuffered, piece by piece
--- config eval: with($unbuffered)
--- raw_request eval
my $upload = upload(kind => 'signed-trailer', data => '');
[unpack '(a40)*', $upload]
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 0 e3b0c442

=== TEST 9: nothing in it, unbuffered, framing=decode, piece by piece
--- http_config eval: upstream('u', 'A')
--- config eval: with($unbuffered, 'u')
--- raw_request eval
my $upload = upload(kind => 'unsigned', data => '');
[unpack '(a40)*', $upload]
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 0 e3b0c442

=== TEST 10: a few bytes, unbuffered, piece by piece
--- config eval: with($unbuffered)
--- raw_request eval
my $upload = upload(kind => 'signed-trailer', data => 'hello' x 10, size => 20, te => 7);
[unpack '(a30)*', $upload]
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 50 

=== TEST 11: other sizes of chunks, other checksums
--- config eval: with($unbuffered)
--- request eval: requests('sizes')
--- more_headers eval: headers('sizes')
--- error_code eval: [(200) x 12]
--- response_body_like eval: [("verified yes\n.*data 300000 $hash") x 12]

=== TEST 12: chunks like the client's: nothing is hashed twice, and all arrives
--- config eval: with('client_body_buffer_size 2m;')
--- request eval: requests('same_sizes')
--- more_headers eval: headers('same_sizes')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes\n.*data 300000 $hash") x 6]

=== TEST 13: without the line break at the very end
--- request eval: requests('short')
--- more_headers eval: headers('short')
--- error_code eval: [(200) x 2]
--- response_body_like eval: [("verified yes\n.*data 5 2cf24dba") x 2]

=== TEST 14: a wrong signature of the first chunk, one in the middle, the last
--- request eval: requests('signatures')
--- more_headers eval: headers('signatures')
--- error_code eval: [(403) x 8]
--- response_body_like eval: [(s3_error('SignatureDoesNotMatch')) x 8]
--- no_error_log
connect to 127.0.0.1

=== TEST 15: wrong checksums
--- request eval: requests('checksums')
--- more_headers eval: headers('checksums')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [(s3_error('BadDigest')) x 6]
--- no_error_log
connect to 127.0.0.1

=== TEST 16: a wrong signature of the trailer
--- request eval: requests('trailer')
--- more_headers eval: headers('trailer')
--- refused: 403 SignatureDoesNotMatch

=== TEST 17: the decoded length off by one
--- request eval: requests('off_by_one')
--- more_headers eval: headers('off_by_one')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [(s3_error('IncompleteBody')) x 6]
--- no_error_log
connect to 127.0.0.1

=== TEST 18: no last chunk; bytes behind the end
--- request eval: requests('ends')
--- more_headers eval: headers('ends')
--- error_code eval: [(400) x 6]
--- response_body_like eval: [(s3_error('IncompleteBody')) x 3, (s3_error('[A-Za-z]+')) x 3]
--- no_error_log
connect to 127.0.0.1

=== TEST 19: no length at all
--- raw_request eval: my ($headers) = S3Sign::v4_upload(); raw('PUT /bucket/key', $headers =~ s/^Content-Length.*\n//mr)
--- refused: 411 MissingContentLength

=== TEST 20: a refused body is answered in the style of s3_errors, whatever error_page says
--- config eval: with('s3_errors s3proxy; error_page 400 403 /other; ')
--- request eval: requests('styled')
--- more_headers eval: headers('styled')
--- error_code: 403
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"error": "The request signature

=== TEST 21: unbuffered: what is wrong comes out late, and the origin lacks the end
--- config eval: with($unbuffered)
--- request eval: requests('late')
--- more_headers eval: headers('late')
--- error_code eval: [(403, 403, 403, 403, 400) x 2]
--- response_body_like eval: [((s3_error('SignatureDoesNotMatch')) x 4, s3_error('BadDigest')) x 2]

=== TEST 22: of those nothing is whole
--- request
GET /_log/t21
--- response_body_like: ^(?:A incomplete unverified [^\n]*\n){10}$

=== TEST 23: a retry is framed and signed anew, whatever was sent before: from memory, from a file, both plain and framed
--- http_config eval: upstream('both', '') . upstream('first', 'A') . upstream('second', 'B') . upstream('none', 'AB')
--- config eval
my $location = sub { "location /$_[0]/ { s3_resign on; proxy_pass http://$_[0]; client_body_buffer_size $_[1]; }" };
$ENV{TEST_NGINX_CLIENT} . $location->('both', '2m') . $location->('first', '8k') . $location->('second', '8k') . $location->('none', '2m')
--- request eval: requests('retried')
--- more_headers eval: headers('retried')
--- error_code eval: [(200) x 12]
--- response_body_like eval
my ($data, $body) = map { "^origin B\nverified yes\n.*key AKIDORIGINB\n.*$_ 300000 $hash" } 'data', 'body';
[($data) x 6, ($body) x 6]

=== TEST 24: and so it is after a try that nobody took
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config eval: with($unbuffered, 'u')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("^origin B\nverified yes.*data 300000 $hash") x 6]

=== TEST 25: after a refused upload the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval: with($unbuffered, 'u')
--- request eval: requests('poison')
--- more_headers eval: headers('poison')
--- error_code eval: [200, 200, 403, 200, 400, 200]
--- response_body_like eval
[(map { "connection \\d+ request $_\n.*data" } 1, 2), 'SignatureDoesNotMatch', "connection \\d+ request 1\n.*data", 'BadDigest', "connection \\d+ request 1\n.*data"]

=== TEST 26: what the origins have seen of it
--- request
GET /_log/t25
--- response_body_like eval
'^' . join('', map { "A $_ [^\n]*\n" } ('200 verified') x 2, ('incomplete unverified', '200 verified') x 2) . '$'

=== TEST 27: an origin that answers early, unbuffered
--- config eval: with($unbuffered)
--- request eval: requests('early')
--- more_headers eval: headers('early')
--- error_code_like: ^50[23]$

=== TEST 28: a client that leaves in the middle, unbuffered: the origin has no more than a part
--- config eval: with($unbuffered)
--- init: leave('/t28', substr upload(path => '/t28/key', data => $large), 0, 200_000)
--- request
GET /_log/t28
--- response_body_like: ^A incomplete unverified [^\n]*\n$

=== TEST 29: and buffered: it has nothing
--- config eval: with('')
--- raw_request eval: substr upload(path => '/t29/key', data => $large), 0, 200_000
--- shutdown
--- ignore_response
--- error_log
client prematurely closed connection
--- no_error_log
connect to 127.0.0.1

=== TEST 30: Expect: 100-continue is answered once the head is verified
--- config eval: with($unbuffered)
--- raw_request eval
my $upload = upload(data => 'hello', kind => 'unsigned', unsigned => ['expect', '100-continue']);
[$upload =~ /\A(.*?\r\n\r\n)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 31: and not before
--- raw_request eval
my $upload = upload(data => 'hello', tamper => 1, unsigned => ['expect', '100-continue']);
[$upload =~ /\A(.*?\r\n\r\n)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- refused: 403 SignatureDoesNotMatch

=== TEST 32: bodies that nginx keeps in files, or in one buffer
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location /file/ { s3_resign on; proxy_pass http://origin_a; client_body_in_file_only clean; }
location /buffer/ { s3_resign on; proxy_pass http://origin_a; client_body_in_single_buffer on; client_body_buffer_size 512k; }'
--- request eval: requests('kept')
--- more_headers eval: headers('kept')
--- error_code eval: [(200) x 6]
--- response_body_like eval: [("verified yes.*data 300000 $hash") x 6]

=== TEST 33: a decoded body does not leave a location that does not sign
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @off; }
location @off { s3_resign off; proxy_pass http://origin_b; }'
--- request eval: requests('once')
--- more_headers eval: headers('once')
--- error_code: 500
--- error_log
a body that was decoded is not forwarded

=== TEST 34: another location that signs sends it once more
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
location @on { s3_resign on; proxy_pass http://origin_b; }'
--- request eval: requests('busy')
--- more_headers eval: headers('busy')
--- error_code eval: [(200) x 3]
--- response_body_like eval: [("^origin B\nverified yes.*data 300000 $hash") x 3]

=== TEST 35: framing= has two values
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A framing=drop; }
--- must_die
--- error_log
"s3_origin default": "framing=drop" is neither "keep" nor "decode"

=== TEST 36: bodies cut anywhere
--- request eval: requests('cut')
--- more_headers eval: headers('cut')
--- error_code_like eval: [('^40[03]$') x @{ $uploads{cut} }]
--- response_body_like eval: [('<Code>IncompleteBody<') x @{ $uploads{cut} }]
--- no_error_log
connect to 127.0.0.1

=== TEST 37: the answers' place in the log
--- http_config
    log_format errors '$status $s3_error $s3_access_key $s3_auth';
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log errors;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: requests('styled')
--- more_headers eval: headers('styled')
--- refused: 403 SignatureDoesNotMatch
--- access_log
403 SignatureDoesNotMatch AKIDCLIENT v4-header
--- error_log
refused SignatureDoesNotMatch

=== TEST 38: a refused upload ends the connection, and the answer says so
--- raw_request eval: upload(spoil => 0, unsigned => ['connection', 'keep-alive'])
--- refused: 403 SignatureDoesNotMatch
--- response_headers
Connection: close
