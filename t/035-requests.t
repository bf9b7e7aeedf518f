# What a request asks of S3: read from what goes to the origin, in whatever
# spelling it came. What is no request of S3 goes nowhere.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_ASKED} = 'log_format asked "[$s3_operation] [$s3_bucket] [$s3_key]"; access_log logs/access.log asked;';

# Names that stand for something else at origins, in every spelling.
our @reserved = qw(/minio/admin/v3/info /minio /%6Dinio/admin/v3/info /minio%2Fadmin /admin/user?uid=x
    /admin /rustfs/admin/v3/users);
our @elsewhere = qw(//minio/admin /./minio/admin /b/../minio/admin /b/%2e%2e/c /b/a/../../c /../b /b/..%5C..%5Cc /%2Fb/k);

# A method and a target each, for a client of the rights named.
our @grants = (
    # rights        method target                                                 allowed
    ['allow=write', 'POST', '/b/k?%73elect&select-type=2',                        0],
    ['allow=read',  'POST', '/b/k?%73elect&select-type=2',                        1],
    ['allow=read',  'POST', '/b/k?select&select-type=1&%75ploadId=ID',            0],
    ['allow=write', 'POST', '/b/k?select&select-type=2&tagging',                  0],
    ['allow=read',  'POST', '/b/k?select&select-type=2&tagging',                  0],
    ['allow=GetObject,ListObject*', 'GET', '/b/k',                                1],
    ['allow=GetObject,ListObject*', 'GET', '/b?list-type=2',                      1],
    ['allow=GetObject,ListObject*', 'GET', '/b/k?acl',                            0],
    ['allow=list',   'GET',    '/b?prefix=x',                                     1],
    ['allow=list',   'GET',    '/b/k',                                            0],
    ['allow=delete', 'DELETE', '/b/k',                                            1],
    ['allow=delete', 'PUT',    '/b/k',                                            0],
    ['allow=write buckets=b', 'PUT', '/b?policy',                                 0],
    ['allow=write buckets=b', 'PUT', '/b?%70olicy',                               0],
    ['allow=write buckets=b', 'PUT', '/b?notification',                           0],
    ['allow=write buckets=b', 'PUT', '/b/k?acl',                                  0],
    ['allow=write buckets=b', 'PUT', '/b/k?tagging',                              1],
    ['buckets=b/in/*', 'GET', '/b/in/k',                                          1],
    ['buckets=b/in/*', 'GET', '/b/%69n/k',                                        1],
    ['buckets=b/in/*', 'GET', '/b/out/k',                                         0],
    ['buckets=b/in/*', 'GET', '/b/in/../out/k',                                   0],
    ['buckets=b/in/*', 'GET', '/b?prefix=in/&list-type=2',                        1],
    ['buckets=b/in/*', 'GET', '/b?prefix=in/&%70refix=out/',                      0],
    ['buckets=b/in/*', 'GET', '/b?list-type=2',                                   0],
    ['buckets=b/in/*', 'POST', '/b?delete',                                       0],
    ['',             'GET', '/b?session',                                         0],
    ['allow=read',   'GET', '/b/k?unheard-of',                                    0],
    ['',             'GET', '/b/k?unheard-of',                                    1],
);
our $n = 0;
our $clients = join '', map { "s3_client K$_ secret_key=s $grants[$_][0];\n" } 0 .. $#grants;
sub grants { map { [$_, @{ $grants[$_] }[1 .. 3]] } 0 .. $#grants }
sub signed {
    my ($method, $target, %o) = @_;
    my ($path, $query) = split /\?/, $target, 2;
    return h4(method => $method, path => $path, query => $query // '', %o);
}

prepare();
run_tests();

__DATA__

=== TEST 1: classes, operations, buckets and prefixes, in whatever spelling
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: [map { "$_->[1] $_->[2]" } grants()]
--- more_headers eval: [map { signed($_->[1], $_->[2], key => "K$_->[0]", secret => 's') } grants()]
--- error_code eval: [map { $_->[3] ? 200 : 403 } grants()]

=== TEST 2: methods that S3 lacks, and all but reading of the service
--- request eval: [map { "$_->[0] $_->[1]" } (map { [$_, '/bucket/key'] } qw(PATCH PROPFIND LOCK MKCOL LINK)), ['PATCH', '/create-user'], map { [$_, '/'] } qw(PUT POST DELETE PATCH)]
--- more_headers eval: [map { signed($_->[0], $_->[1]) } (map { [$_, '/bucket/key'] } qw(PATCH PROPFIND LOCK MKCOL LINK)), ['PATCH', '/create-user'], map { [$_, '/'] } qw(PUT POST DELETE PATCH)]
--- error_code eval: [(405) x 10]
--- response_body_like eval: [(s3_error('MethodNotAllowed')) x 10]
--- no_error_log
connect to 127.0.0.1

=== TEST 3: account management by a form at the service
--- request
POST /
Action=ListUsers&Version=2010-05-08
--- more_headers eval: h4(method => 'POST', path => '/', body => 'Action=ListUsers&Version=2010-05-08')
--- refused: 405 MethodNotAllowed

=== TEST 4: nor unsigned, where that is let through
--- config
    s3_anonymous on;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['PATCH /bucket/key', 'POST /', 'GET /minio/health/live', 'GET /admin/user', 'GET //minio', 'GET /b/../c']
--- error_code eval: [405, 405, 403, 403, 400, 400]
--- no_error_log
connect to 127.0.0.1

=== TEST 5: reserved names are never passed on
--- request eval: [map { "GET $_" } @reserved]
--- more_headers eval: [map { signed('GET', $_) } @reserved]
--- error_code eval: [(403) x @reserved]
--- response_body_like eval: [(s3_error('AccessDenied', 'reserved')) x @reserved]
--- no_error_log
connect to 127.0.0.1

=== TEST 6: nor after a rewrite
--- config
    $TEST_NGINX_CLIENT
    location /api/ { s3_resign on; rewrite ^/api(/.*)$ $1 break; proxy_pass http://origin_a; }
--- request
GET /api/admin/user?uid=x
--- more_headers eval: signed('GET', '/api/admin/user?uid=x')
--- refused: 403 AccessDenied reserved

=== TEST 7: others in their place, and none
--- config
    $TEST_NGINX_CLIENT
    s3_reserved swift auth;
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /minio/ { s3_resign on; s3_reserved off; proxy_pass http://origin_a; }
--- request eval: ['GET /admin/user', 'GET /swift/v1', 'GET /%61uth/k', 'GET /minio/admin/v3/info']
--- more_headers eval: [map { signed('GET', $_) } '/admin/user', '/swift/v1', '/%61uth/k', '/minio/admin/v3/info']
--- error_code eval: [200, 403, 403, 200]

=== TEST 8: s3_reserved with a slash
--- config
    s3_reserved /minio;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_reserved \/minio".*without slashes/

=== TEST 9: s3_reserved off beside a name
--- config
    s3_reserved minio off;
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_reserved off".*"off" alone/

=== TEST 10: paths that leave their bucket, and one without a bucket
--- request eval: [map { "GET $_" } @elsewhere]
--- more_headers eval: [map { signed('GET', $_) } @elsewhere]
--- error_code eval: [(400) x @elsewhere]
--- no_error_log
connect to 127.0.0.1

=== TEST 11: copy sources that do
--- request eval: ["PUT /b/k\n", "PUT /b/k\n", "PUT /b/k\n"]
--- more_headers eval: [map { h4(method => 'PUT', path => '/b/k', headers => ['x-amz-copy-source' => $_]) } 'b/../c/k', '/b/%2e%2e/c/k', 'b/a/../../k?versionId=1']
--- error_code eval: [400, 400, 400]
--- response_body_like eval: [(s3_error('InvalidArgument', 'Copy Source')) x 3]
--- no_error_log
connect to 127.0.0.1

=== TEST 12: keys of forms that do
--- raw_request eval: [map { raw('POST /b', S3Sign::v4_form(path => '/b', form_key => $_)) } '../c/k', 'a/../../k', '..\\k']
--- error_code eval: [400, 400, 400]
--- response_body_like eval: [(s3_error('InvalidURI')) x 3]
--- no_error_log
connect to 127.0.0.1

=== TEST 13: a raw # in the target
--- raw_request eval: [map { raw("GET $_", signed('GET', $_ =~ s/#/%23/r)) } '/b/k#', '/b/k#?response-content-type=text/html', '/b/k?a#b']
--- error_code eval: [400, 400, 400]
--- response_body_like eval: [(s3_error('InvalidURI')) x 3]
--- no_error_log
connect to 127.0.0.1

=== TEST 14: the host of a target in absolute form is the one that was signed
--- raw_request eval: [map { raw("GET http://$_->[0]/bucket/key", h4(host => $_->[1]) =~ s/^host: .*$/Host: $_->[2]/mr) } ['a.test', 'a.test', 'a.test'], ['b.test', 'a.test', 'a.test'], ['b.test', 'b.test', 'a.test'], ['a.test:8080', 'a.test:8080', 'a.test:8080'], ['a.test:8080', 'a.test', 'a.test']]
--- error_code eval: [200, 403, 200, 200, 403]

=== TEST 15: a bucket in the host
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['GET /k', 'PUT /k', 'PUT /k', 'DELETE /k', 'GET /k', 'PUT /photo?x-id=PutObject', 'GET /k']
--- more_headers eval: [h4(path => '/k', host => 'bucket.s3.example.com'), h4(method => 'PUT', path => '/k', host => 'Bucket.S3.example.com:8080'), h4(method => 'PUT', path => '/k', host => 'bucket.s3-eu.example.com'), h4(method => 'DELETE', path => '/k', host => 'bucket.localhost'), h4(path => '/k', host => 'bucket.s3.example.com.'), h4(method => 'PUT', path => '/photo', query => 'x-id=PutObject', host => 'storage.example.com'), h4(path => '/k', host => 's3.example.com')]
--- error_code eval: [400, 400, 400, 400, 400, 400, 200]
--- error_log
refused InvalidRequest: The host seems to begin with the name of a bucket

=== TEST 16: a name of the server is no bucket
--- http_config
    server {
        listen $TEST_NGINX_LISTEN;
        server_name eu.s3.example.com *.eu.s3.example.com;
        $TEST_NGINX_CLIENT
        location / { s3_resign on; proxy_pass http://origin_a; }
    }
--- request eval: ['GET /bucket/key', 'GET /key']
--- more_headers eval: [h4(host => 'eu.s3.example.com'), h4(path => '/key', host => 'bucket.eu.s3.example.com')]
--- error_code eval: [200, 400]

=== TEST 17: an endpoint below a path: what goes out counts
--- config
    s3_client AKIDMINE secret_key=s buckets=mine;
    s3_client AKIDS3   secret_key=s buckets=s3;
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- request eval: ['GET /s3/mine/k', 'GET /s3/mine/a%20b%3Fc', 'GET /s3/other/secret', 'GET /s3/s3/k', 'GET /s3/mine?policy', 'GET /s3/other?policy']
--- more_headers eval: [map { signed('GET', $_->[1], key => $_->[0], secret => 's') } [AKIDMINE => '/s3/mine/k'], [AKIDMINE => '/s3/mine/a%20b%3Fc'], [AKIDS3 => '/s3/other/secret'], [AKIDS3 => '/s3/s3/k'], [AKIDMINE => '/s3/mine?policy'], [AKIDMINE => '/s3/other?policy']]
--- error_code eval: [200, 200, 403, 200, 200, 403]

=== TEST 18: forms likewise
--- config
    s3_client AKIDMINE secret_key=s buckets=mine/in/*;
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- raw_request eval: [map { raw("POST /s3/$_->[0]", S3Sign::v4_form(path => "/$_->[0]", form_key => $_->[1], key => 'AKIDMINE', secret => 's')) } ['mine', 'in/k'], ['mine', 'out/k'], ['other', 'in/k'], ['mine', 'in/${filename}']]
--- error_code eval: [200, 403, 403, 200]

=== TEST 19: arguments that a rewrite adds are asked too
--- config
    s3_client AKIDREAD secret_key=s allow=GetObject;
    location /acl/ { s3_resign on; rewrite ^/acl/(.*)$ /$1?acl break; proxy_pass http://origin_a; }
    location /plain/ { s3_resign on; rewrite ^/plain/(.*)$ /$1 break; proxy_pass http://origin_a; }
    location /set/ { s3_resign on; set $args acl; proxy_pass http://origin_a; }
--- request eval: [map { "GET $_" } '/acl/b/k', '/plain/b/k', '/set/k']
--- more_headers eval: [map { signed('GET', $_, key => 'AKIDREAD', secret => 's') } '/acl/b/k', '/plain/b/k', '/set/k']
--- error_code eval: [403, 200, 403]

=== TEST 20: logged as what they are
--- http_config
$TEST_NGINX_ASKED
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /s3/ { s3_resign on; rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://origin_a; }
--- request eval: [map { "$_->[0] $_->[1]" } ['PUT', '/bucket?%70olicy'], ['GET', '/bucket?location&%70olicy'], ['GET', '/s3/b/k%20'], ['GET', '/bucket?annotation'], ['GET', '/bucket/key?annotation&annotationName=x']]
--- more_headers eval: [map { signed($_->[0], $_->[1]) } ['PUT', '/bucket?%70olicy'], ['GET', '/bucket?location&%70olicy'], ['GET', '/s3/b/k%20'], ['GET', '/bucket?annotation'], ['GET', '/bucket/key?annotation&annotationName=x']]
--- error_code eval: [(200) x 5]
--- access_log
[PutBucketPolicy] [bucket] [-]
[Unknown] [bucket] [-]
[GetObject] [b] [k%20]
[Unknown] [bucket] [-]
[GetObjectAnnotation] [bucket] [key]

=== TEST 21: the region's exemption is for what it says
--- config
    $TEST_NGINX_CLIENT
    s3_region eu-west-1;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['GET /bucket?location', 'GET /bucket?location&%70olicy', 'GET /', 'GET /?x-id=GetObject']
--- more_headers eval: [map { signed('GET', $_) } '/bucket?location', '/bucket?location&%70olicy', '/', '/?x-id=GetObject']
--- error_code eval: [200, 400, 200, 400]

=== TEST 22: a header that the configuration adds is asked for too
--- config
    s3_client AKIDMINE secret_key=s buckets=mine;
    location / { s3_resign on; proxy_pass http://origin_a; proxy_set_header x-amz-copy-source $arg_prefix; }
--- request eval: ["PUT /mine/k\n"]
--- more_headers eval: [h4(method => 'PUT', path => '/mine/k', key => 'AKIDMINE', secret => 's', headers => ['x-amz-copy-source' => 'other/secret'])]
--- error_code eval: [403]
