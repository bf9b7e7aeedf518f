# Uploads as few clients send them: with nothing in them, in every framing, over HTTP/1.1 and HTTP/2, with and without
# "Expect: 100-continue", to origins that get the framing and to such that do not.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use IO::Select;
use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';

my $unbuffered = 'proxy_request_buffering off; proxy_http_version 1.1;';
$ENV{TEST_NGINX_PLACES} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_resign on;
    location /keep-buffered     { proxy_pass http://origin_a; }
    location /keep-unbuffered   { proxy_pass http://origin_a; $unbuffered }
    location /decode-buffered   { proxy_pass http://decode; }
    location /decode-unbuffered { proxy_pass http://decode; $unbuffered }
END
our $decode = "upstream decode { server $ENV{TEST_NGINX_A}; s3_origin default $ENV{TEST_NGINX_CRED_A} framing=decode; }";

# Each kind of body: the line of the request, header lines without a length, and the body.
our %kinds = (
    'signed'             => sub { framed(@_, kind => 'signed') },
    'signed trailer'     => sub { framed(@_, kind => 'signed-trailer') },
    'unsigned trailer'   => sub { framed(@_, kind => 'unsigned') },
    'unannounced'        => sub { framed(@_, kind => 'unsigned', checksum => '') },
    'without an end'     => sub { framed(@_, kind => 'unsigned', edit_body => sub { $_[0] =~ s/\r\n\z//r }) },
    'plain'              => sub { my %o = @_; ("PUT $o{path}", h4(%o, method => 'PUT', body => $o{data}), $o{data}) },
    'UNSIGNED-PAYLOAD'   => sub { my %o = @_; ("PUT $o{path}", h4(%o, method => 'PUT', payload => 'UNSIGNED-PAYLOAD'), $o{data}) },
    'presigned'          => sub { my %o = @_; ('PUT ' . q4(%o, method => 'PUT'), "Host: localhost\n", $o{data}) },
    'form'               => sub {
        my %o = @_;
        my ($path) = $o{path} =~ m{^(/[^/]*)};
        my ($headers, $body) = S3Sign::v4_form(%o, path => $path, file => $o{data});
        return ("POST $path", $headers, $body);
    },
);

sub framed {
    my %o = @_;
    return ("PUT $o{path}", S3Sign::v4_upload(%o));
}

# Sends each in a way, and says what is wrong with what came of it.
#   rejected  by its head
#   expect    the body only once told to go on
sub check {
    my %way = @_;
    my ($total, @wrong) = 0;
    for my $place (qw(keep-buffered keep-unbuffered decode-buffered decode-unbuffered)) {
        for my $kind (sort keys %kinds) {
            for my $chunked (0, 1) {
                # the signature of a form is in its body
                next if $way{rejected} && $kind eq 'form';
                my $path = "/$place/" . ++$total;
                my ($line, $headers, $body) = $kinds{$kind}->(path => $path, data => $way{data}, tamper => $way{rejected});
                my $wrong = talk(\%way, $chunked, $line, $headers, $body);
                push @wrong, "$kind to $place" . ($chunked ? ', chunked' : '') . ": $wrong" if $wrong ne '';
            }
        }
    }
    is(join("\n", @wrong), '', "$total uploads");
}

sub talk {
    my ($way, $chunked, $line, $headers, $body) = @_;

    $headers =~ s/^(?:Content-Length|Transfer-Encoding): .*\n//mi;
    $headers .= $chunked ? "Transfer-Encoding: chunked\n" : 'Content-Length: ' . length($body) . "\n";
    $headers .= "Expect: 100-continue\n" if $way->{expect};
    $body = S3Sign::chunked($body, 7) if $chunked;
    my $socket = IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}") or die "connect: $!";
    print $socket "$line HTTP/1.1\n${headers}Connection: close\n\n" =~ s/\n/\r\n/gr, $way->{expect} ? '' : $body;
    $socket->flush;
    my $in = '';
    my $reads = sub { IO::Select->new($socket)->can_read(10) && sysread $socket, $in, 65536, length $in };
    if ($way->{expect} && $body ne '') {
        while ($in !~ /\r\n\r\n/) { $reads->() or return "no answer: $in" }
        my $told = $in =~ s/\AHTTP\/1\.1 100 Continue\r\n\r\n//;
        return 'told to go on' if $told && $way->{rejected};
        return "not told to go on: $in" if !$told && !$way->{rejected};
        print $socket $body if $told;
        $socket->flush;
    }
    1 while $reads->();
    # nginx tells so even where there is nothing to send
    return 'told to go on' if $in =~ s/\AHTTP\/1\.1 100 Continue\r\n\r\n// && ($way->{rejected} || !$way->{expect});
    my ($status) = $in =~ m{\AHTTP/1\.1 (\d+)} or return "no answer: $in";
    return $status == 403 ? '' : $in if $way->{rejected};
    my ($data) = $in =~ /^(?:data|body) (\d+) (?!.*^data)/ms;
    return $status == 200 && $in =~ /^verified yes$/m && $data == length $way->{data} ? '' : $in;
}

prepare();
run_tests();

__DATA__

=== TEST 1: nothing in them: each kind to each place, in HTTP's chunks and with a length
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- init
check(data => '');
--- signed: GET /keep-buffered/key
--- passed: A

=== TEST 2: Expect: 100-continue
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- init
check(data => '', expect => 1);
--- signed: GET /keep-buffered/key
--- passed: A

=== TEST 3: and with something in them
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- init
check(data => 'hello', expect => 1);
--- signed: GET /keep-buffered/key
--- passed: A

=== TEST 4: nobody is told to go on whose head is wrong
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- init
check(data => 'hello', expect => 1, rejected => 1);
--- signed: GET /keep-buffered/key
--- passed: A

=== TEST 5: nothing in them, over HTTP/2
--- http2
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- upload
PUT /keep-{buffered,unbuffered}/key kind={signed,signed-trailer,unsigned} body=""    => 200 verified yes\n.*data 0 e3b0c442
PUT /keep-{buffered,unbuffered}/key kind=unsigned checksum="" body=""                => 200 verified yes\n.*data 0 e3b0c442
PUT /decode-{buffered,unbuffered}/key kind={signed,signed-trailer,unsigned} body=""  => 200 verified yes\n.*body 0 e3b0c442
PUT /decode-{buffered,unbuffered}/key kind=unsigned checksum="" body=""              => 200 verified yes\n.*body 0 e3b0c442
signed PUT /{keep,decode}-{buffered,unbuffered}/key                                  => 200 verified yes\n.*body 0 e3b0c442
signed PUT /{keep,decode}-{buffered,unbuffered}/key payload=UNSIGNED-PAYLOAD         => 200 verified yes\n.*body 0 e3b0c442
presigned PUT /{keep,decode}-{buffered,unbuffered}/key                               => 200 verified yes\n.*body 0 e3b0c442
form POST /{keep,decode}-{buffered,unbuffered} file=""                               => 200 verified yes\n.*data 0 e3b0c442
--- skip_eval: 3: S3Test::no_http2()

=== TEST 6: a wrong one of each, over HTTP/2
--- http2
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- upload
PUT /{keep,decode}-{buffered,unbuffered}/wrong kind={signed,signed-trailer,unsigned} body="" decoded=1   => 400 error IncompleteBody
PUT /{keep,decode}-{buffered,unbuffered}/wrong kind={signed,signed-trailer} body="" spoil=0              => 403 error SignatureDoesNotMatch
PUT /{keep,decode}-{buffered,unbuffered}/wrong kind={signed-trailer,unsigned} body="" spoil_checksum=x   => 400 error BadDigest
form POST /{keep,decode}-{buffered,unbuffered} form_key=wrong file="" tamper                                          => 403 error SignatureDoesNotMatch
--- skip_eval: 3: S3Test::no_http2()

=== TEST 7: no origin has got the whole of one
--- unsigned
GET /_log/keep-buffered/wrong
GET /_log/keep-unbuffered/wrong
GET /_log/decode-buffered/wrong
GET /_log/decode-unbuffered/wrong
--- answers: 4x 200 ^(?:. reset [^\n]*\n)*$

=== TEST 8: encodings beside aws-chunked, in the framing
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- upload
PUT /bucket/key kind={signed,signed-trailer,unsigned} encoding={gzip,aws-chunked} body=hello                        => 200 data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="aws-chunked, gzip" body=hello           => 200 header content-encoding: aws-chunked, gzip\n.*data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding=gzip,AWS-CHUNKED body=hello              => 200 header content-encoding: gzip,AWS-CHUNKED\n.*data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="aws-chunked, aws-chunked" body=hello    => 200 header content-encoding: aws-chunked, aws-chunked\n.*data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="foo, aws-chunked, bar" body=hello       => 200 header content-encoding: foo, aws-chunked, bar\n.*data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="gzip,br ;q=1" body=hello                => 200 header content-encoding: gzip,br ;q=1\n.*data 5 2cf24dba
PUT /bucket/key kind=unsigned encoding=none body=hello                          => 200 data 5 2cf24dba

=== TEST 9: and without it
--- http_config eval: $main::decode
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://decode; }
--- upload
PUT /bucket/key kind=unsigned encoding="aws-chunked, gzip" body=hello           => 200 header Content-Encoding: gzip\n.*body 5 2cf24dba
PUT /bucket/key kind=unsigned encoding=gzip,AWS-CHUNKED body=hello              => 200 header Content-Encoding: gzip\n.*body 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="aws-chunked, aws-chunked" body=hello    => 200 ^(?!.*ontent-.ncoding).*body 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="foo, aws-chunked, bar" body=hello       => 200 header Content-Encoding: foo, bar\n.*body 5 2cf24dba
PUT /bucket/key kind=unsigned encoding="gzip,br ;q=1" body=hello                => 200 header Content-Encoding: gzip,br ;q=1\n.*body 5 2cf24dba
PUT /bucket/key kind=unsigned encoding=none body=hello                          => 200 ^(?!.*ontent-.ncoding).*body 5 2cf24dba

=== TEST 10: in several lines, to both
--- http_config eval: $main::decode
--- config
$TEST_NGINX_PLACES
--- upload
PUT /{keep,decode}-{buffered,unbuffered}/key kind=unsigned body=hello encoding=none
    unsigned Content-Encoding: gzip
    unsigned Content-Encoding: aws-chunked
    unsigned Content-Encoding: br
--- answers
2x 200 (?i:header content-encoding: gzip\n.*header content-encoding: aws-chunked\n.*header content-encoding: br\n).*data 5 2cf24dba
2x 200 ^(?!.*aws-chunked).*header Content-Encoding: gzip\n.*header Content-Encoding: br\n.*body 5 2cf24dba

=== TEST 11: what a head says of its checksums
--- upload
PUT /bucket/key kind=unsigned body=hello
    x-amz-sdk-checksum-algorithm: CRC32
PUT /bucket/key kind=unsigned body=hello
    x-amz-sdk-checksum-algorithm: SHA256
PUT /bucket/key kind={signed,unsigned} checksum="" body=hello
    x-amz-sdk-checksum-algorithm: CRC32
PUT /bucket/key kind=unsigned body=hello
    x-amz-checksum-crc32: NhCmhg==
PUT /bucket/key kind={signed,unsigned} checksum="" body=hello
    x-amz-checksum-crc32: NhCmhg==
    x-amz-sdk-checksum-algorithm: crc32
signed PUT /bucket/key?partNumber=1&uploadId=u body=hello
    x-amz-sdk-checksum-algorithm: CRC32
signed PUT /bucket/key body=hello
    x-amz-checksum-crc32: NhCmhg==
    x-amz-checksum-sha1: qvTGHdzF6KLavt4PO0gs2a6pQ00=
signed POST /bucket/key?uploads
    x-amz-checksum-algorithm: CRC32
signed GET /bucket/key
    x-amz-checksum-mode: ENABLED
--- answers
200 verified yes
400 error InvalidRequest Value for x-amz-sdk-checksum-algorithm header is invalid
2x 400 error InvalidRequest x-amz-sdk-checksum-algorithm specified, but no corresponding
400 error InvalidRequest Expecting a single x-amz-checksum- header
2x 200 verified yes
400 error InvalidRequest x-amz-sdk-checksum-algorithm specified, but no corresponding
400 error InvalidRequest Expecting a single x-amz-checksum- header. Multiple
2x 200 verified yes
