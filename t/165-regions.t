# s3_region, and origins in other regions: clients are told of s3_region alone, so that they find out what to sign for.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
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
--- request eval: [('GET /bucket?location') x 4]
--- more_headers eval
[map { asks() . $_ } whole('HTTP/1.1 404 X', '<Error><Code>NoSuchBucket</Code></Error>'), whole($head, '<Error><Code>SlowDown</Code></Error>'),
    whole('HTTP/1.1 206 X', said('x')), says("$head\nContent-Length: 500", '  ')]
--- error_code eval: [404, 200, 502, 502]
--- response_body_like eval: ['<Code>NoSuchBucket<', '<Error><Code>SlowDown<', (s3_error('InternalError')) x 2]

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
['<Code>AuthorizationHeaderMalformed</Code>.*<Region>eu-proxy-1</Region>', '^$', '<Region>eu-proxy-1</Region>']

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
