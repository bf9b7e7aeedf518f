# s3_region, and origins in other regions: clients are told of s3_region alone, so that they find out what to sign for.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use Digest::SHA qw(sha256_hex);
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
our $told      = qq{<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint $namespace>eu-proxy-1</LocationConstraint>};
our $location  = "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; s3_region eu-proxy-1; proxy_pass http://origin_a; proxy_http_version 1.1;";
our $head      = 'HTTP/1.1 200 OK';

# What an origin says of its region.
sub said { qq{<?xml version="1.0"?>\n<LocationConstraint $namespace>$_[0]</LocationConstraint>} }
# Asks where a bucket is.
sub asks { h4(path => '/bucket', query => 'location', @_) }

# CreateBucket's body with these elements, after the declaration or without one.
sub creates { qq{<CreateBucketConfiguration $namespace>} . join('', @_) . '</CreateBucketConfiguration>' }
sub region  { "<LocationConstraint>$_[0]</LocationConstraint>" }
# What an origin is to get: a body, signed for it.
sub gets { qr/^origin $_[0]\nverified yes\n(?!.*header (?i:content-md5|x-amz-checksum|x-amz-sdk|expect)).*header [Cc]ontent-[Ll]ength: ${\length $_[1]}\n.*body ${\length $_[1]} ${\sha256_hex($_[1])}\n/s }
sub puts { my ($body, @more) = @_; h4(method => 'PUT', path => '/bucket', region => 'eu-proxy-1', body => $body, @more) }

# A list of buckets that are in this region.
sub lists { '<ListAllMyBucketsResult><Buckets>' . join('', map { "<Bucket><Name>$_</Name><BucketRegion>$_[0]</BucketRegion></Bucket>" } @_[1 .. $#_]) . '</Buckets></ListAllMyBucketsResult>' }
our ($listed, $listed_here, $none_listed) = (lists('us-east-1', 'a', 'b'), lists('eu-proxy-1', 'a', 'b'), lists('x'));

our $there = qq{<?xml version="1.0" encoding="UTF-8"?>\n} . creates(region('eu-central-1'));
our $tags  = '<Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags>';
our $to_b  = $location =~ s/origin_a/origin_b/r;

prepare();
run_tests();

__DATA__

=== TEST 1: where a bucket is
--- config eval: "$location }"
--- request: GET /bucket?location
--- more_headers eval
asks() . whole("$head\nContent-Type: text/xml; charset=utf-16\nETag: \"a\"\nContent-MD5: b\nx-amz-bucket-region: us-east-1", said('us-east-1'))
--- error_code: 200
--- response_headers eval
"Content-Type: application/xml\nContent-Length: " . length($told) . "\nx-amz-bucket-region: eu-proxy-1\n!ETag\n!Content-MD5"
--- response_body eval: $told

=== TEST 2: however the origin says it
--- config eval: "$location }"
--- request eval: [('GET /bucket?location') x 8]
--- more_headers eval
[map { asks(region => $_->[0]) . $_->[1] }
    ['us-east-1',  says($head, said('eu-west-1') =~ /(.{1,9})/gs)],
    ['eu-proxy-1', says("$head\nTransfer-Encoding: chunked", map({ sprintf "%x\r\n%s\r\n", length, $_ } said('eu-west-1') =~ /(.{1,20})/gs), "0\r\n\r\n")],
    ['eu-proxy-1', whole("$head\nContent-Encoding: gzip", "\x1f\x8b")], ['eu-proxy-1', whole($head, '')], ['eu-proxy-1', whole($head, ' ' x 900 . said('x'))],
    ['eu-proxy-1', whole($head, said('x') . 'y' x 900)], ['eu-proxy-1', whole($head, '{"region": "x"}')], ['eu-proxy-1', whole($head, "<LocationConstraint $namespace/>")]]
--- error_code eval: [(200) x 8]
--- response_body eval: [($told) x 8]

=== TEST 3: the first region has no name
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_region us-east-1; proxy_pass http://origin_a; }
--- request: GET /bucket?location
--- more_headers eval: asks() . whole($head, said('eu-west-1'))
--- error_code: 200
--- response_headers: !x-amz-bucket-region
--- response_body eval: $told =~ s/eu-proxy-1//r

=== TEST 4: what is no location of a bucket
--- config eval: "$location }"
--- request eval: [('GET /bucket?location') x 5]
--- more_headers eval
[map { asks() . $_ } whole('HTTP/1.1 404 X', '<Error><Code>NoSuchBucket</Code></Error>'), whole($head, '<Error><Code>SlowDown</Code></Error>'),
    whole('HTTP/1.1 206 X', said('x')), says("$head\nContent-Length: 500", '  '), whole($head, '<!-- -->' . region('eu-west-1'))]
--- error_code eval: [404, 200, 502, 502, 502]
--- response_body_like eval: ['<Code>NoSuchBucket<', '<Error><Code>SlowDown<', (s3_error('InternalError')) x 3]

=== TEST 5: without s3_region an origin speaks for itself
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request: GET /bucket?location
--- more_headers eval: asks() . whole("$head\nx-amz-bucket-region: eu-west-1", said('eu-west-1'))
--- error_code: 200
--- response_headers: x-amz-bucket-region: eu-west-1
--- response_body eval: said('eu-west-1')

=== TEST 6: who signs for another region is told which to sign for
--- config eval: "$location }"
--- request eval: ['GET /bucket/key', 'HEAD /bucket', 'GET ' . q4(region => 'eu-west-1')]
--- more_headers eval: [h4(region => 'us-east-1'), h4(method => 'HEAD', path => '/bucket', region => 'us-east-1'), '']
--- error_code eval: [(400) x 3]
--- response_headers eval: [('x-amz-bucket-region: eu-proxy-1') x 3]
--- response_body_like eval
['<Code>AuthorizationHeaderMalformed</Code>.*<Region>eu-proxy-1</Region>', '^$',
    '<Code>AuthorizationQueryParametersError</Code>.*the region is wrong; expecting .*<Region>eu-proxy-1</Region>']

=== TEST 7: who signs nothing yet is told too, in any error, and in JSON
--- config eval: "$location } location /json { s3_resign on; s3_region eu-proxy-1; s3_errors s3proxy; proxy_pass http://origin_a; }"
--- request eval: ['HEAD /bucket', 'GET /bucket', 'GET /json/key', 'GET /bucket/key']
--- more_headers eval: ['', '', '', h4(region => 'eu-proxy-1', secret => 'wrong')]
--- error_code eval: [(403) x 4]
--- response_headers eval: [('x-amz-bucket-region: eu-proxy-1') x 4]

=== TEST 8: without s3_region nothing is said
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request: HEAD /bucket
--- error_code: 403
--- response_headers: !x-amz-bucket-region

=== TEST 9: what origins say of their region
--- config eval: "$location s3_anonymous on; }"
--- request eval: ['HEAD /bucket', 'HEAD /bucket', 'GET /bucket/key', 'GET /bucket/key', 'HEAD /bucket/key']
--- more_headers eval
[h4(method => 'HEAD', path => '/bucket', region => 'eu-proxy-1') . says("$head\nx-amz-bucket-region: eu-west-1\nContent-Length: 0"),
 h4(method => 'HEAD', path => '/bucket', region => 'eu-proxy-1') . says("$head\nContent-Length: 0"),
 says("$head\nX-Amz-Bucket-Region: eu-west-1\nContent-Length: 0"), says("$head\nContent-Length: 0"),
 says("HTTP/1.1 403 X\nContent-Length: 0")]
--- error_code eval: [(200) x 4, 403]
--- response_headers eval: [('x-amz-bucket-region: eu-proxy-1') x 3, '!x-amz-bucket-region', 'x-amz-bucket-region: eu-proxy-1']

=== TEST 10: errors of origins
--- config eval: "$location }"
--- request: GET /bucket/key
--- more_headers eval
h4(region => 'eu-proxy-1') . whole('HTTP/1.1 400 X', '<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region><Key>eu-west-1</Key></Error>')
--- error_code: 400
--- response_headers: x-amz-bucket-region: eu-proxy-1
--- response_body_like: <Region>eu-proxy-1</Region><Key>eu-west-1</Key>

=== TEST 11: a new bucket's region becomes the origin's
--- config eval: "$to_b }"
--- request eval
["PUT /bucket\n" . creates(region('eu-proxy-1')), "PUT /bucket\n" . creates(region('eu-proxy-1'), $tags), "PUT /bucket\n" . creates($tags),
 "PUT /bucket\n", "PUT /bucket\n<CreateBucketConfiguration/>"]
--- more_headers eval
[puts(creates(region('eu-proxy-1')), headers => ['content-md5' => 'a', 'x-amz-checksum-crc32' => 'b', 'x-amz-sdk-checksum-algorithm' => 'CRC32', 'content-type' => 'application/xml']),
 puts(creates(region('eu-proxy-1'), $tags), payload => 'UNSIGNED-PAYLOAD'), puts(creates($tags)), puts(''), puts('<CreateBucketConfiguration/>')]
--- error_code eval: [(200) x 5]
--- response_body_like eval
[gets(B => creates(region('eu-central-1'))), gets(B => creates(region('eu-central-1'), $tags)), gets(B => creates(region('eu-central-1'), $tags)), gets(B => $there),
 gets(B => '<CreateBucketConfiguration>' . region('eu-central-1') . '</CreateBucketConfiguration>')]

=== TEST 12: the first region is not named
--- config eval: "$location }"
--- request eval: ["PUT /bucket\n" . creates(region('eu-proxy-1')), "PUT /bucket\n" . creates(region('eu-proxy-1'), $tags), "PUT /bucket\n"]
--- more_headers eval: [puts(creates(region('eu-proxy-1'))), puts(creates(region('eu-proxy-1'), $tags)), puts('')]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [gets(A => ''), gets(A => creates($tags)), gets(A => '')]

=== TEST 13: each try has the region of its origin
--- config eval: $location =~ s/origin_a/origin_ab/r . 'proxy_next_upstream error timeout http_503; }'
--- request eval: ["PUT /bucket\n" . creates(region('eu-proxy-1')), "PUT /bucket\n"]
--- more_headers eval: [map { puts($_) . "X-Mock: A=503\n" } creates(region('eu-proxy-1')), '']
--- error_code eval: [200, 200]
--- response_body_like eval: [gets(B => creates(region('eu-central-1'))), gets(B => $there)]

=== TEST 14: presigned, by V2, unbuffered, with the hash verified here too
--- config eval
"$to_b s3_signature_v2 on; proxy_request_buffering off; s3_verify_payload on; }"
--- request eval
my $body = creates(region('eu-proxy-1'));
["PUT " . q4(method => 'PUT', path => '/bucket', region => 'eu-proxy-1') . "\n$body",
 "PUT " . q4(method => 'PUT', path => '/bucket', region => 'eu-proxy-1', headers => ['x-amz-content-sha256' => sha256_hex($body)], payload => sha256_hex($body)) . "\n$body",
 "PUT /bucket\n$body", "PUT /bucket\n$body", "PUT /bucket\n"]
--- more_headers eval
my $body = creates(region('eu-proxy-1'));
['', 'x-amz-content-sha256: ' . sha256_hex($body), h2(method => 'PUT', path => '/bucket'), puts($body), puts('')]
--- error_code eval: [(200) x 5]
--- response_body_like eval: [(gets(B => creates(region('eu-central-1')))) x 4, gets(B => $there)]

=== TEST 15: another body than was signed, one that cannot be read, and one for another region
--- config eval: "$to_b }"
--- request eval
["PUT /bucket\n" . creates(region('eu-proxy-2')), "PUT /bucket\n", "PUT /bucket\nx", "PUT /bucket\n" . creates(region('eu-central-1')),
 "PUT /bucket\n" . creates(region('eu-proxy-1')) x 2, "PUT /bucket\n" . 'x' x 70_000, "PUT /bucket\n" . creates(), "PUT /bucket\n" . creates()]
--- more_headers eval
[puts(creates(region('eu-proxy-1'))), puts('x'), puts('x'), puts(creates(region('eu-central-1'))), puts(creates(region('eu-proxy-1')) x 2), puts('x' x 70_000),
 puts('', payload => 'UNSIGNED-PAYLOAD', headers => ['content-md5' => 'a']), puts('', payload => 'UNSIGNED-PAYLOAD', headers => ['x-amz-checksum-crc32' => 'AAAAAA=='])]
--- error_code eval: [400, 400, 400, 400, 400, 400, 501, 400]
--- response_body_like eval
[map { s3_error($_) } qw(XAmzContentSHA256Mismatch XAmzContentSHA256Mismatch MalformedXML IllegalLocationConstraintException MalformedXML MalformedXML NotImplemented BadDigest)]

=== TEST 16: nothing is read that may go as it is
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; s3_region us-east-1; proxy_pass http://origin_a; }"
--- request eval: ["PUT /bucket\nnot XML", "PUT /bucket/key\nnot XML"]
--- more_headers eval: [puts('not XML', region => 'us-east-1'), puts('not XML', region => 'us-east-1', path => '/bucket/key')]
--- error_code eval: [200, 200]
--- response_body_like eval: [(gets(A => 'not XML')) x 2]

=== TEST 17: where listed buckets are, and which are in a region
--- config eval: "$location } location /any/ { s3_resign on; s3_prefix /any; proxy_pass http://origin_a; }"
--- signed
GET / region=eu-proxy-1
GET /?bucket-region=eu-proxy-1&max-buckets=9
GET /?bucket-region=us-east-1
GET /any/?bucket-region=us-east-1
--- origin: 4x 200 OK body=$listed
--- answers
2x 200 is $listed_here
200 is $none_listed
200 is $listed
