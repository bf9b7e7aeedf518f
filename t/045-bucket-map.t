# s3_bucket_map: two origins with other names for their buckets. Each is asked for its own, whatever a request
# names, and for no bucket but those that a line names.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our ($at_a, $at_b) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B)};

# An upstream u of A, and of B behind it.
sub upstream {
    my ($maps, $server_b) = (@_, 'backup');
    return <<"END";
    upstream u {
        zone u 64k;
        server $at_a max_fails=0; server $at_b max_fails=0 $server_b;
        s3_origin $at_a $ENV{TEST_NGINX_CRED_A}; s3_origin $at_b $ENV{TEST_NGINX_CRED_B};
        $maps
    }
END
}

our $maps = <<"END";
        s3_bucket_map media pictures origin=$at_a;
        s3_bucket_map logs-* *.archive origin=$at_a;
        s3_bucket_map media acme-media origin=$at_b;
        s3_bucket_map only-b acme-b origin=$at_b;
        s3_bucket_map shared s.h_a-red;
        s3_bucket_map system minio;
END

sub location { "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; $_[0] }" }

our $list = '<ListAllMyBucketsResult><Buckets>'
    . join('', map {"<Bucket><Name>$_</Name></Bucket>"} qw(pictures web.archive s.h_a-red other media))
    . '</Buckets></ListAllMyBucketsResult>';

prepare();
run_tests();

__DATA__

=== TEST 1: every way to ask for a bucket
--- http_config eval: upstream($maps)
--- config eval
"s3_domain s3.test media.test=media; s3_signature_v2 on; s3_anonymous on;" . location(
    'add_header X-Asked "$s3_operation $s3_bucket $s3_key" always; proxy_next_upstream off;')
--- signed
GET /media/k/l host=s3.test
GET /k/l host=media.s3.test
GET /k/l host=media.test
GET /m%65dia/k/l host=s3.test
presigned GET /media/k/l host=s3.test
signed_v2 GET /media/k/l host=s3.test
presigned_v2 GET /media/k/l host=s3.test
PUT /media/k/l host=s3.test body=hello
upload PUT /media/k/l host=s3.test kind=unsigned body=hello
HEAD /logs-web host=s3.test
PUT /logs-web?tagging body=x host=s3.test
PUT /shared host=s3.test
GET /media/k?v=1 host=s3.test
unsigned GET /media/k HTTP/1.1
    Host: s3.test
--- answers
7x 200 ^origin A\nverified yes.*line GET /pictures/k/l[? ]
200 ^origin A\nverified yes.*line PUT /pictures/k/l HTTP.*body 5
200 ^origin A\nverified yes.*line PUT /pictures/k/l HTTP.*data 5
200
200 ^origin A\nverified yes.*line PUT /web\.archive\?tagging= HTTP
200 ^origin A\nverified yes.*line PUT /s\.h_a-red HTTP
200 ^origin A\nverified yes.*line GET /pictures/k\?v=1 HTTP
200 ^origin A.*line GET /pictures/k HTTP
--- response_headers eval
[('X-Asked: GetObject media k/l') x 7, ('X-Asked: PutObject media k/l') x 2, 'X-Asked: HeadBucket logs-web ', 'X-Asked: PutBucketTagging logs-web ',
    'X-Asked: CreateBucket shared ', 'X-Asked: Unknown media k', 'X-Asked: GetObject media k']

=== TEST 2: failover, from a name to another one
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed
GET /media/t2/k mock=A=close
presigned GET /media/t2/k mock=A=close
PUT /media/t2/k mock=A=drop body=hello
PUT /media/t2/c mock=A=close
    x-amz-copy-source: /media/t2/k?versionId=1
--- answers
2x 200 ^origin B\nverified yes.*line GET /acme-media/t2/k
200 ^origin B\nverified yes.*line PUT /acme-media/t2/k HTTP.*body 5
200 ^origin B\nverified yes.*line PUT /acme-media/t2/c HTTP.*header x-amz-copy-source: acme-media/t2/k\?versionId=1\n

=== TEST 3: sources of copies
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed
PUT /shared/c
    x-amz-copy-source: media/a%20b/..c
PUT /shared/c?partNumber=1&uploadId=u
    x-amz-copy-source: %2Fm%65dia%2Fk
PUT /media/c?renameObject
    x-amz-rename-source: /media/k
PUT /shared/c
    x-amz-copy-source: other/k
PUT /other/c
    x-amz-copy-source: media/k
PUT /shared/c
    x-amz-copy-source: arn:aws:s3:us-east-1:1:accesspoint/media/object/k
PUT /shared/c
    x-goog-copy-source: secret/k
GET /shared/c
    x-amz-copy-source: secret/k
--- answers
200 ^origin A\nverified yes.*line PUT /s\.h_a-red/c HTTP.*header x-amz-copy-source: pictures/a%20b/\.\.c\n
200 ^origin A\nverified yes.*header x-amz-copy-source: pictures/k\n
200 ^origin A\nverified yes.*line PUT /pictures/c\?renameObject= HTTP.*header x-amz-rename-source: pictures/k\n
404 <Code>NoSuchBucket<.*<BucketName>other</BucketName>
404 <Code>NoSuchBucket<.*<BucketName>other</BucketName>
400 error InvalidArgument
400 error InvalidArgument
501 error NotImplemented
--- error_log: s3_bucket_map

=== TEST 4: a bucket that no line names is nowhere
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed
GET /pictures/t4
GET /other/k
PUT /logs-
GET /me%2Fdia/k
HEAD /other
GET /system/k
presigned GET /acme-media/t4
unsigned GET /_log/{pictures,acme-media}/t4
--- answers
4x 404 error NoSuchBucket
404
2x 404 error NoSuchBucket
2x 200 ^$

=== TEST 5: a reserved name, though a line leads to it
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed: GET /system/admin/v3/info
--- refused: 404 NoSuchBucket

=== TEST 6: who may not ask for it, and whose signature is wrong, learns nothing of it
--- http_config eval: upstream($maps)
--- config eval: location('s3_client ONLYMEDIA secret_key=secret buckets=media; s3_client ALL secret_key=secret;')
--- signed
GET /media/k key=ONLYMEDIA secret=secret
GET /other/k key=ONLYMEDIA secret=secret
GET /shared/k key=ONLYMEDIA secret=secret
GET /other/k key=ALL secret=secret tamper
--- answers
200 verified yes.*line GET /pictures/k HTTP
2x 403 error AccessDenied
403 error SignatureDoesNotMatch

=== TEST 7: it goes to those that have it, and after a failure nobody is told that it is nowhere
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed
2x GET /only-b/t7
2x GET /logs-web/t7
GET /logs-web/t7 mock=A=close
PUT /only-b/t7
    x-amz-copy-source: media/t7
PUT /media/t7
    x-amz-copy-source: only-b/t7
--- answers
2x 200 ^origin B\nverified yes.*line GET /acme-b/t7 HTTP
2x 200 ^origin A\nverified yes.*line GET /web\.archive/t7 HTTP
50[023] <Code>(?:InternalError|ServiceUnavailable)<
200 ^origin B\nverified yes.*line PUT /acme-b/t7 HTTP.*header x-amz-copy-source: acme-media/t7\n
200 ^origin B\nverified yes.*line PUT /acme-media/t7 HTTP.*header x-amz-copy-source: acme-b/t7\n

=== TEST 8: a list of buckets, of which the client's prefix says nothing to the origin
--- http_config eval: upstream($maps)
--- config eval: location('')
--- origin
4x 200 OK body=$list length
    Content-Type: application/xml
--- signed
GET /
GET /?prefix=me
GET /?max-buckets=2&%70refix=logs
presigned GET /?prefix=pic
--- answers
200 <Buckets><Bucket><Name>media</Name></Bucket><Bucket><Name>logs-web</Name></Bucket><Bucket><Name>shared</Name></Bucket></Buckets></List
200 <Buckets><Bucket><Name>media</Name></Bucket></Buckets>
200 <Buckets><Bucket><Name>logs-web</Name></Bucket></Buckets>
200 <Buckets></Buckets>

=== TEST 9: documents that name buckets
--- http_config eval: upstream($maps)
--- config eval: location('')
--- signed
GET /media?policy
PUT /media?policy body={}
PUT /media?logging body=x
GET /media?replication
POST /media/k?restore body=x
GET /media?unheard-of
PUT /media/k?x-amz-copy-source=secret/k
DELETE /media?policy
--- answers
7x 501 error NotImplemented
200 verified yes.*line DELETE /pictures\?policy= HTTP

=== TEST 10: they are for everyone where names are the same
--- http_config eval: upstream('s3_bucket_map * *;')
--- config eval: location('')
--- signed
GET /media?policy
GET /media?unheard-of
--- answers
200 verified yes.*line GET /media\?policy= HTTP
501 error NotImplemented

=== TEST 11: a browser's form
--- http_config eval: upstream($maps)
--- config eval: location('proxy_next_upstream error non_idempotent;')
--- form
POST /media form_key=t11 file=hello
    field bucket: media
POST /media form_key=t11 file=hello mock=A=drop
POST /other form_key=t11 file=hello
--- answers
200 ^origin A\nverified yes.*line POST /pictures HTTP
200 ^origin B\nverified yes.*line POST /acme-media HTTP
404 error NoSuchBucket

=== TEST 12: an anonymous preflight
--- http_config eval: upstream($maps)
--- config eval: location('')
--- unsigned
OPTIONS /media/k
    Origin: https://page.test
    Access-Control-Request-Method: PUT
OPTIONS /other/k
    Origin: https://page.test
    Access-Control-Request-Method: PUT
--- answers
200 line OPTIONS /pictures/k HTTP
404 error NoSuchBucket

=== TEST 13: the origin has buckets in its host
--- http_config
    upstream u {
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A host=s3.origin.test addressing=virtual;
        s3_bucket_map * acme-*;
    }
--- config eval: location('')
--- signed
GET /media/k
GET /Media/k
--- answers
200 verified yes.*line GET /k HTTP.*header [Hh]ost: acme-media\.s3\.origin\.test\n
404 error NoSuchBucket

=== TEST 14: lines of a location, and of the levels around it
--- http_config eval: upstream('s3_bucket_map shared common;') . 's3_bucket_map media outer;'
--- config eval
"$ENV{TEST_NGINX_CLIENT} s3_resign on;
    location /media/ { proxy_pass http://u; }
    location /media/in { s3_bucket_map media inner origin=$at_a; s3_bucket_map media backup origin=$at_b; proxy_pass http://u; }
    location /media/host { s3_origin default $ENV{TEST_NGINX_CRED_A}; proxy_pass http://$at_a; }
    location /media/other { s3_bucket_map x y; proxy_pass http://u; }
    location /shared/ { proxy_pass http://u; }
    location /shared/host { s3_origin default $ENV{TEST_NGINX_CRED_A}; s3_bucket_map * *-x origin=$at_a; proxy_pass http://$at_a; }"
--- signed
GET /media/k
GET /media/in
GET /media/in mock=A=close
GET /media/host
GET /media/other
GET /shared/k
GET /shared/host
--- answers
200 ^origin A\nverified yes.*line GET /outer/k HTTP
200 ^origin A\nverified yes.*line GET /inner/in HTTP
200 ^origin B\nverified yes.*line GET /backup/in HTTP
200 ^origin A\nverified yes.*line GET /outer/host HTTP
404 error NoSuchBucket
200 ^origin A\nverified yes.*line GET /common/k HTTP
200 ^origin A\nverified yes.*line GET /shared-x/host HTTP

=== TEST 15: what is kept of one location is not another one's
--- http_config eval: "proxy_cache_path $ENV{TEST_NGINX_SERVROOT}/t15 keys_zone=t15:1m;" . upstream('')
--- config eval
"$ENV{TEST_NGINX_CLIENT} s3_resign on; proxy_cache t15; proxy_cache_valid 200 1m; s3_domain s3.test;
    location / { s3_bucket_map * a-*; proxy_pass http://u; }
    location /s3/ { s3_prefix /s3; s3_bucket_map * b-*; proxy_pass http://u; }"
--- signed
HEAD /media/k host=s3.test
GET /media/k host=s3.test
GET /s3/media/k host=s3.test
--- answers
200
200 verified yes.*line GET /a-media/k HTTP
200 verified yes.*line GET /b-media/k HTTP

=== TEST 16: health checks ask for the bucket by each origin's name
--- http_config eval: upstream("$maps s3_health_check interval=100ms bucket=media;", '')
--- config eval: location('')
--- signed: GET /media/t16
--- init
wait_until(sub { (grep { /HEAD/ } received('/pictures')) && grep { /HEAD/ } received('/acme-media') }, 'both are checked');
my %checks = map { /^(.*HEAD .*) HTTP/ ? ($1 => 1) : () } map { received($_) } '/pictures', '/acme-media';
is(join(', ', sort keys %checks), 'A 200 verified body=0 HEAD /pictures, B 200 verified body=0 HEAD /acme-media', 'each by its name');
--- answers: 200 verified yes

=== TEST 17: a bucket that an origin does not have cannot be checked there
--- http_config eval: upstream("$maps s3_health_check bucket=only-b;")
--- config eval: location('')
--- does_not_start: "s3_health_check" in upstream "u" cannot be signed for "[\d.:]+": a bucket that its origin does not have

=== TEST 18: a path of the origin's own is checked as it is
--- http_config eval: upstream("$maps s3_health_check interval=100ms uri=/minio/health/live;")
--- config eval: location('')
--- signed: GET /media/t18
--- init
wait_until(sub { received('/minio/health/live') }, 'it is checked');
--- answers: 200 verified yes

=== TEST 19: no such server
--- http_config eval: upstream('s3_bucket_map a b origin=other:1;')
--- does_not_start: "s3_bucket_map a b": "origin=other:1" is no server of upstream "u": write it as it stands there

=== TEST 20: two names for one bucket
--- http_config eval: upstream("s3_bucket_map a b; s3_bucket_map c b origin=$at_b;")
--- does_not_start: "s3_bucket_map c b" has the same name at the origin as another line for "[\d.:]+"

=== TEST 21: two buckets of one name
--- http_config eval: upstream("s3_bucket_map a b origin=$at_a; s3_bucket_map a c origin=$at_a;")
--- does_not_start: "s3_bucket_map a c" has the same name for clients as another line for "[\d.:]+": keep one

=== TEST 22: a location that contradicts its upstream
--- http_config eval: upstream('s3_bucket_map a b;')
--- config eval: location('s3_bucket_map a c;')
--- does_not_start: "s3_bucket_map a c" has the same name for clients

=== TEST 23: a location whose host is another one
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on; s3_origin default $TEST_NGINX_CRED_A; s3_bucket_map a b origin=other;
        proxy_pass http://$TEST_NGINX_A;
    }
--- does_not_start: "s3_bucket_map a b": "origin=other" is no server of "proxy_pass" to "127.0.0.1"

=== TEST 24: an upstream without s3_origin
--- http_config
    upstream u { server $TEST_NGINX_A; s3_bucket_map a b; }
--- does_not_start: "s3_bucket_map" in upstream "u" has no effect without "s3_origin"

=== TEST 25: a location without s3_resign
--- config
    location / { s3_bucket_map a b; proxy_pass http://$TEST_NGINX_A; }
--- does_not_start: "s3_bucket_map" in location "/" has no effect without "s3_resign on"

=== TEST 26: the only one that has it fails: the client gets what it said, and it is not asked again
--- http_config eval: upstream($maps)
--- config eval
"$ENV{TEST_NGINX_CLIENT} s3_resign on; proxy_next_upstream error http_503;
    location / { proxy_pass http://u; }
    location /here { s3_bucket_map here there origin=$at_a; proxy_pass http://u; }"
--- signed
GET /logs-web/t26 mock=A=503
GET /here/t26 mock=A=503
GET /here/t26
GET /media/t26 mock=A=503
unsigned GET /_log/web.archive/t26
unsigned GET /_log/there/t26
--- answers
2x 503
200 ^origin A\nverified yes.*line GET /there/t26 HTTP
200 ^origin B\nverified yes.*line GET /acme-media/t26 HTTP
200 ^A 503 [^\n]*\n$
200 ^A 503 [^\n]*\nA 200 [^\n]*\n$

=== TEST 27: all that have it by the location's lines are tried
--- http_config eval: upstream("$maps s3_health_check interval=1h uri=/t27/x;")
--- config eval: location("proxy_next_upstream error http_503; s3_bucket_map both a origin=$at_a; s3_bucket_map both b origin=$at_b;")
--- signed: GET /both/t27 mock=A=503
--- answers: 200 ^origin B\nverified yes.*line GET /b/t27 HTTP

=== TEST 28: an "if" in a location that has lines
--- http_config eval: upstream('')
--- config eval: location('s3_bucket_map media pictures; if ($request_method = GET) { set $is_read 1; }')
--- signed
GET /media/t28/k
PUT /media/t28/k body=hello
GET /pictures/t28/k
--- answers
200 ^origin A\nverified yes.*line GET /pictures/t28/k HTTP
200 ^origin A\nverified yes.*line PUT /pictures/t28/k HTTP
404 error NoSuchBucket
