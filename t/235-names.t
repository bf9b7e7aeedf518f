# Answers in the client's words: its names of buckets, where it finds what is new, and ids that know their origin.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';
use IO::Compress::Gzip qw(gzip);

my $declared = qq{<?xml version="1.0" encoding="UTF-8"?>\n};

# S3's documents: what they say at the origin, and what the client reads. {b} is the bucket, {l} where the object is.
my %document = (
    list     => '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{b}</Name><Prefix>acme-media</Prefix>'
        . '<Contents><Key>acme-media</Key><ETag>&quot;a&quot;</ETag></Contents></ListBucketResult>',
    versions => '<ListVersionsResult><Name>{b}</Name><Version><Key>k</Key></Version></ListVersionsResult>',
    uploads  => '<ListMultipartUploadsResult><Bucket>{b}</Bucket><Upload><Key>k</Key><UploadId>1</UploadId></Upload>'
        . '</ListMultipartUploadsResult>',
    parts    => '<ListPartsResult><Bucket>{b}</Bucket><Key>k</Key><UploadId>1</UploadId></ListPartsResult>',
    begun    => '<InitiateMultipartUploadResult><Bucket>{b}</Bucket><Key>k</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>',
    complete => '<CompleteMultipartUploadResult><Location>{l}</Location><Bucket>{b}</Bucket><Key>k</Key></CompleteMultipartUploadResult>',
    posted   => '<PostResponse><Location>{l}</Location><Bucket>{b}</Bucket><Key>key</Key></PostResponse>',
);
our (%there, %here);
for my $name (keys %document) {
    my $key = $name eq 'posted' ? 'key' : 'k';
    my $text = $declared . $document{$name};
    $there{$name} = $text =~ s/\{b\}/acme-media/r =~ s{\{l\}}{http://acme-media.s3.example.com/$key}r;
    $here{$name}  = $text =~ s/\{b\}/media/r =~ s{\{l\}}{http://localhost/media/$key}r;
}
our ($list, $versions, $uploads, $parts, $begun, $complete, $posted) =
    @there{qw(list versions uploads parts begun complete posted)};
our ($list_here, $versions_here, $uploads_here, $parts_here, $begun_here, $complete_here, $posted_here) =
    @here{qw(list versions uploads parts begun complete posted)};

gzip(\$list, \our $list_gzip);
gzip(\$complete, \our $complete_gzip);
my $wrong = '<Error><Code>NoSuchKey</Code><Message>No acme-media.</Message><Resource>/acme-media/acme-media</Resource>'
    . '<BucketName>acme-media</BucketName><Key>acme-media</Key></Error>';
our $error      = $declared . $wrong;
our $error_here = $declared . $wrong =~ s/No acme-/No /r =~ s{>/acme-}{>/}r =~ s/<BucketName>acme-/<BucketName>/r;
gzip(\$error, \our $error_gzip);
our $late_complete = " \n" . $complete =~ s/\Q$declared//r;
our $late_complete_here = " \n" . $complete_here =~ s/\Q$declared//r;
our ($spaced_list, $spaced_list_here) = (" \n$list", " \n$list_here");
our @late_complete = (" ", "\n", $late_complete =~ /^\s+(.*)/s);

# What is said of keys that could not be deleted, as S3 does: a resource, who the origin takes nginx for, the origin.
my ($user, $left_out) = ('User: arn:aws:iam::123456789012:user/proxy is not authorized', '(It names the origin, and is left out.)');
sub deleted {
    return qq{$declared<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>acme-media</Key></Deleted>}
        . join('', map { "<Error><Key>acme-media</Key><Code>AccessDenied</Code><Message>$_</Message></Error>" } @_) . '</DeleteResult>';
}
our $deleted      = deleted('No arn:aws:s3:::acme-media/k.', $user, 'AKIDORIGINA is unknown', '');
our $deleted_here = deleted('No arn:aws:s3:::media/k.', $left_out, $left_out, '');
our $deleted_without_map = deleted('No arn:aws:s3:::acme-media/k.', $left_out, $left_out, '');

# Lists of buckets.
sub bucket { "<Bucket><Name>$_[0]</Name><BucketArn>arn:aws:s3:::$_[0]</BucketArn></Bucket>" }
sub buckets { "<ListAllMyBucketsResult><Buckets>" . join('', map { bucket($_) } @_) . '</Buckets></ListAllMyBucketsResult>' }
our $buckets = buckets(qw(acme-media media other acme-b acme-));
our ($all, $with_b) = (buckets(qw(media b)), buckets('b'));
our $asked = $with_b =~ s{(?=</ListAll)}{<Prefix>b</Prefix>}r;

# The ids of 075, which are sealed for /bucket/key.
our %sealed = (
    upload => 's3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia',
    marker => 's3r1_wrtiqk3fdzwkc3u2iewb4b7ssvpvxeur4ikfjgiapitq',
    version => 's3r1_oisrvhpxj52r2nxz4fwucigucohcl2mrcdkoy22wjgec6',
    list   => 's3r1_pqjt2gv6znbo4g5j7gvpza7wqobpad4aepfvnymaym',
);
our $begun_upload   = '<InitiateMultipartUploadResult><UploadId>A/upload+1=</UploadId></InitiateMultipartUploadResult>';
our $listed_uploads = '<ListMultipartUploadsResult><NextUploadIdMarker>A/upload+1=</NextUploadIdMarker><Upload><UploadId>A/upload+1=</UploadId>'
    . '<Key>key</Key></Upload></ListMultipartUploadsResult>';
our $listed = '<ListBucketResult><NextContinuationToken>A/token+1=</NextContinuationToken></ListBucketResult>';
our $listed_versions = '<ListVersionsResult><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>A/version+1=</NextVersionIdMarker>'
    . '<Version><Key>k</Key><VersionId>A/version+1=</VersionId></Version></ListVersionsResult>';
our $listed_versions_here = $listed_versions =~ s{A/version\+1=}{$sealed{version}}r;
our $listed_before = '<ListBucketResult><NextMarker>k[minio_cache:v2,return:]</NextMarker></ListBucketResult>';
our $listed_before_here = $listed_before =~ s/\[.*\]//r;
our $begun_sealed = $begun_upload =~ s{A/upload\+1=}{$sealed{upload}}r;
our $listed_uploads_here = $listed_uploads =~ s{A/upload\+1=}{$sealed{marker}}r =~ s{A/upload\+1=}{$sealed{upload}}r;
our $listed_here = $listed =~ s{A/token\+1=}{$sealed{list}}r;

our $no_upload = qq{$declared<Error><Code>NoSuchUpload</Code><UploadId>A/upload+1=</UploadId></Error>};
our $no_upload_here = $no_upload =~ s{A/upload\+1=}{$sealed{upload}}r;

$ENV{TEST_NGINX_MAPPED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / {
        s3_resign on;
        s3_bucket_map media acme-media;
        s3_bucket_map b acme-b;
        proxy_http_version 1.1;
        proxy_pass http://origin_a;
    }
END
$ENV{TEST_NGINX_TWO} = <<"END";
    upstream two {
        server $ENV{TEST_NGINX_A};
        server $ENV{TEST_NGINX_B} down;
        s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A} host=a.example.com;
        s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B} host=b.example.com;
    }
END

prepare();
run_tests();

__DATA__

=== TEST 1: every document that names a bucket
--- config
$TEST_NGINX_MAPPED
--- signed
GET /media
GET /media?list-type=2
GET /media?versions
GET /media?uploads
GET /media/k?uploadId=1
POST /media/k?uploads
POST /media/k?uploadId=1 body=x
--- origin
2x 200 OK body=$list
200 OK body=$versions
200 OK body=$uploads
200 OK body=$parts
200 OK body=$begun
    x-amz-checksum-algorithm: CRC32
200 OK body=$complete
--- answers
2x 200 is $list_here
200 is $versions_here
200 is $uploads_here
200 is $parts_here
200 is $begun_here
    x-amz-checksum-algorithm: CRC32
200 is $complete_here

=== TEST 2: in pieces, in chunks, without a length, compressed, and later than the head
--- config
$TEST_NGINX_MAPPED
--- signed
4x GET /media
POST /media/k?uploadId=1 body=x
GET /media
POST /media/k?uploadId=1 body=x
GET /media
    Accept-Encoding: gzip
--- origin
200 OK body=$spaced_list
200 OK body=$spaced_list pieces=50
200 OK body=$list pieces=50
200 OK body=$list chunks=7
200 OK body=@late_complete
200 OK body=$list_gzip
    Content-Encoding: gzip
200 OK body=$complete_gzip pieces=9
    Content-Encoding: gzip
200 OK body=$list_gzip chunks=10
    Content-Encoding: gzip
--- answers
2x 200 is $spaced_list_here
2x 200 is $list_here
200 is $late_complete_here
200 is $list_here
    !Content-Encoding
200 is $complete_here
    !Content-Encoding
200 is $list_here
    !Content-Encoding

=== TEST 3: an origin is not asked to compress what is read, nor to answer in JSON, as Ceph can
--- config
$TEST_NGINX_MAPPED
--- signed
GET /media?list-type=2
    Accept: application/json
    Accept-Encoding: gzip
GET /media/k
    Accept: application/json
    Accept-Encoding: gzip
--- answers
200 verified yes(?!.*(?:Accept: application/json|Accept-Encoding: gzip))
200 verified yes.*Accept: application/json.*Accept-Encoding: gzip

=== TEST 4: objects are what they are
--- config
$TEST_NGINX_MAPPED
--- signed: 2x GET /media/k
--- origin
200 OK body=$list
200 OK body=$list_gzip
    Content-Encoding: gzip
--- answers
200 is $list
200 is $list_gzip
    Content-Encoding: gzip

=== TEST 5: lists of buckets, by their names here
--- config
$TEST_NGINX_MAPPED
--- signed
GET /
GET /?prefix=b
GET /
    Accept-Encoding: gzip
--- origin
3x 200 OK body=$buckets
--- answers
200 is $all
200 is $asked
200 is $all

=== TEST 6: of these, those that a client may see
--- config
    s3_client AKIDCLIENT secret_key=clientsecret buckets=b,acme-media;
    location / {
        s3_resign on;
        s3_bucket_map * acme-*;
        proxy_pass http://origin_a;
    }
--- signed: GET / secret=clientsecret
--- origin: 200 OK body=$buckets
--- answers: 200 is $with_b

=== TEST 7: errors
--- config
$TEST_NGINX_MAPPED
--- signed
GET /media/acme-media
PUT /b/k
    x-amz-copy-source: media/k
GET /media/acme-media
--- origin
404 X body=$error
200 OK body=$error
404 X body=$error_gzip
    Content-Encoding: gzip
--- answers
404 is $error_here
200 is $error_here
404 is $error_here
    !Content-Encoding

=== TEST 8: heads
--- config
$TEST_NGINX_MAPPED
--- signed
PUT /media
PUT /media
HEAD /media/acme-media
--- origin
200 OK body=""
    Location: /acme-media
    x-amz-bucket-arn: arn:aws:s3:::acme-media
200 OK body=""
    Location: http://acme-media.$TEST_NGINX_A/
404 X
    x-amz-error-message: There is no bucket acme-media.
    x-amz-error-detail-BucketName: acme-media
    x-amz-error-detail-Key: acme-media
    x-minio-error-desc: "No acme-media"
    x-amz-meta-mine: acme-media
--- answers
200
    Location: /media
    x-amz-bucket-arn: arn:aws:s3:::media
200
404
    x-amz-error-message: There is no bucket media.
    x-amz-error-detail-BucketName: media
    x-amz-error-detail-Key: acme-media
    x-minio-error-desc: "No media"
    x-amz-meta-mine: acme-media

=== TEST 9: a browser's form
--- config
$TEST_NGINX_MAPPED
--- form
POST /media
POST /media
    field success_action_redirect: http://example.com/done
--- origin
201 Created body=$posted
    Location: http://acme-media.s3.example.com/key
303 See Other body=""
    Location: http://example.com/done?bucket=acme-media&key=acme-media
--- answers
201 is $posted_here
    Location: http://localhost/media/key
303
    Location: http://example.com/done?bucket=media&key=acme-media

=== TEST 10: an endpoint below a path, and a bucket in the host
--- config
    s3_domain s3.mydomain.com;
    $TEST_NGINX_CLIENT
    location /s3 {
        s3_resign on;
        s3_prefix /s3;
        s3_bucket_map media acme-media;
        proxy_pass http://origin_a;
    }
    location /v {
        s3_resign on;
        s3_prefix /v;
        s3_bucket_map media acme-media;
        s3_origin $TEST_NGINX_CRED_A host=a.example.com addressing=virtual;
        proxy_pass http://$TEST_NGINX_A;
    }
--- signed
POST /s3/media/a%20b/%26?uploadId=1 host=s3.mydomain.com:8443 body=x
POST /s3/k?uploadId=1 host=media.s3.mydomain.com body=x
GET /s3/media/k host=s3.mydomain.com
GET /s3/k host=media.s3.mydomain.com
GET /v/media/k host=s3.mydomain.com
--- origin
2x 200 OK body=$complete
2x 307 Temporary Redirect
    Location: /acme-media/other?a
307 Temporary Redirect
    Location: /other
--- answers
200 <Location>http://s3\.mydomain\.com:8443/s3/media/a%20b/%26</Location><Bucket>media<
200 <Location>http://media\.s3\.mydomain\.com/s3/k</Location><Bucket>media<
307
    Location: /s3/media/other?a
307
    Location: /s3/other?a
307
    Location: /v/media/other

=== TEST 11: what cannot be read is not passed on
--- config
$TEST_NGINX_MAPPED
--- signed
8x GET /media?list-type=2
POST /media/k?uploadId=1 body=x
GET /media?list-type=2
--- origin
200 OK body="<!-- --><ListBucketResult><Name>other</Name></ListBucketResult>"
200 OK body="<?xml version=\"1.0\" encoding=\"UTF-7\"?><ListBucketResult><Name>other</Name></ListBucketResult>"
200 OK body="\xff\xfe<\0L\0/\0>\0"
200 OK body="<ListBucketResult><Name>acme-media</Name>"
200 OK body="<ListBucketResult><Name>acme<!-- -->-media</Name></ListBucketResult>"
200 OK body="<Other><Name>acme-media</Name></Other>"
200 OK body=$list
    Content-Encoding: gzip
200 OK body=$list
    Content-Encoding: br
200 OK body="<CompleteMultipartUploadResult><Location>acme-media"
200 OK body=$list no_length
    Content-Length: 5000
--- answers: all 502 error InternalError

=== TEST 12: ids are sealed where another origin does not know them
--- http_config
$TEST_NGINX_TWO
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://two; }
--- signed
POST /bucket/key?uploads
GET /bucket?uploads
GET /bucket?versions
GET /bucket?list-type=2
GET /bucket?list-type=1
GET /bucket
--- origin
200 OK body=$begun_upload
200 OK body=$listed_uploads
200 OK body=$listed_versions
2x 200 OK body=$listed
200 OK body=$listed_before
--- answers
200 is $begun_sealed
200 is $listed_uploads_here
200 is $listed_versions_here
200 is $listed_here
200 is $listed
200 is $listed_before_here

=== TEST 13: and not with one origin alone
--- signed
POST /bucket/key?uploads
GET /bucket?uploads
GET /bucket?list-type=2
--- origin
200 OK body=$begun_upload
200 OK body=$listed_uploads
200 OK body=$listed
--- answers
200 is $begun_upload
200 is $listed_uploads
200 is $listed

=== TEST 14: an error names the id that the client has
--- http_config
$TEST_NGINX_TWO
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://two; }
--- signed eval: "GET /bucket/key?uploadId=$::sealed{upload}"
--- origin
404 X body=$no_upload
--- answers
404 is $no_upload_here

=== TEST 15: the messages about keys that could not be deleted
--- config
$TEST_NGINX_MAPPED
    location /plain/ { s3_resign on; s3_prefix /plain; proxy_pass http://origin_a; }
--- signed
2x POST /media?delete body=x
POST /plain/media?delete body=x
--- origin
200 OK body=$deleted
200 OK body=$deleted chunks=50
200 OK body=$deleted
--- answers
2x 200 is $deleted_here
200 is $deleted_without_map
