# Keys of origins that renew themselves: from the metadata service of EC2, from those of containers, from STS and
# from a file. MockProvider is all of them, and gives the keys of origin C.
#
# A long file: all of its blocks share the helpers below.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use MockProvider;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes ();

our $at = "127.0.0.1:$ENV{TEST_NGINX_SPARE}";
our %c  = ($ENV{TEST_NGINX_CRED_C} =~ /(\w+)=(\S+)/g);
our $dir = "$ENV{TEST_NGINX_SERVROOT}/html";
my $mock = MockProvider::start($at, { key => $c{access_key}, secret => $c{secret_key}, token => $c{session_token} });
workers(2);

# The words of this file: origin C with keys from elsewhere.
#
#   --- keys: credentials=imds endpoint=...    what its s3_origin says
#   --- upstream: server ...;                  more lines of its upstream
#   --- profile: ...                           what is in the file conf/keys
#   --- provider: wrong                        the mood of the mock, see MockProvider, from before nginx starts
sub keys_section {
    my $block = shift;
    provider($block->provider // 'none');
    return if !defined $block->keys;
    my $upstream = $block->upstream // '';
    $block->set_value(http_config => <<"END" . ($block->http_config // ''));
    upstream keyed {
        zone keyed 64k;
        server $ENV{TEST_NGINX_C} max_fails=0;
        s3_origin $ENV{TEST_NGINX_C} @{[ $block->keys ]} region=us-west-2;
        $upstream
    }
END
    $block->set_value(location => 'proxy_pass http://keyed;') if !defined $block->config;
}

sub at_provider { HTTP::Tiny->new(timeout => 20)->get("http://$at$_[0]")->{content} }
sub provider    { at_provider("/_mood/$_[0]") }
sub provided    { grep { $_ =~ $_[0] } split /\n/, at_provider('/_log') }

# Waits until nginx has keys.
sub await { my $pattern = shift; wait_until(sub { logged($pattern) }, $pattern) }
sub await_keys { await('the first are there') }

# What origin C says of the signature of a request, or the status.
sub verdict {
    my $answer = ask(@_);
    return $answer->{headers}{'x-verified'} // $answer->{status};
}

prepare();
add_block_preprocessor(\&keys_section);
add_test_cleanup_handler(sub { mood('C=none') });
add_cleanup_handler(sub { kill TERM => $mock; waitpid $mock, 0 });
run_tests();

__DATA__

=== TEST 1: of an instance, by IMDSv2
--- keys eval: "credentials=imds endpoint=http://$::at"
--- init
await_keys();
is(join(' ', map { s{.*/}{}r } provided(qr{/latest/})), 'token  the-role', 'each is asked once');
is(verdict(), 'yes', 'signed with them');
--- signed
GET /bucket/key => 200 verified yes
PUT /bucket/key body=hello => 200 verified yes
--- no_error_log
[error]
cat >> t/270-origin-keys.t <<'E'
=== TEST 2: what an instance may answer instead
--- config eval
join '', $ENV{TEST_NGINX_CLIENT}, map {"
location /$_ {
    s3_resign on;
    s3_origin credentials=imds endpoint=http://$::at/as/$_ region=us-west-2;
    proxy_pass http://$ENV{TEST_NGINX_C};
}"} qw(status=500 v1 huge garbage cut close chunked)
--- init
my %why = (
    'status=500' => 'it answered 500 to the request for a token \(IMDSv2\)',
    v1      => 'it answered 404 to the request for a token \(IMDSv2\)',
    huge    => 'its answer is too long',
    garbage => 'it answered 401',
    cut     => 'its answer ends too early',
    close   => 'it closed the connection',
);
for (sort keys %why) {
    await("\\[error\\] [^\n]*s3_resign: no keys from \"imds\": $why{$_}\n");
    is(verdict(path => "/$_/key"), 502, "no keys: $_");
    await("not tried: it has no keys yet from \"imds\": $why{$_}");
}
await_keys();
is(verdict(path => '/chunked/key'), 'yes', 'in chunks');
--- signed: GET /chunked/key => 200

=== TEST 3: another origin is tried while one has none
--- keys eval: "credentials=imds endpoint=http://$::at"
--- upstream
server $TEST_NGINX_A backup;
s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
s3_seal_key 0123456789abcdef;
--- provider: status=500
--- init
await('no keys from "imds"');
is(ask()->{headers}{'x-origin'}, 'A', 'A has its own');
provider('none');
await_keys();
is(ask()->{headers}{'x-origin'}, 'C', 'C has its own');
--- signed: GET /bucket/key => 200
--- error_log
is not tried: it has no keys yet from "imds"

=== TEST 4: new keys in the place of others, and those that do not come
--- keys eval: "credentials=imds endpoint=http://$::at"
--- provider: wrong,life=2
--- init
await_keys();
like(verdict(), qr/AKIDWRONG is not mine/, 'the first ones');
provider('life=4');
wait_until(sub { verdict() eq 'yes' }, 'the second ones');
provider('status=503');
await("\\[warn\\] [^\n]*s3_resign: keys from \"imds\" were not renewed: it answered 503[^\n]*: the old ones are used on");
is(verdict(), 'yes', 'they are used on');
sleep 5;
is(verdict(), 'yes', 'after their end, too');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 5: of a container, with a token and without
--- keys eval: "credentials=ecs endpoint=http://$::at/container"
--- main_config: env AWS_CONTAINER_AUTHORIZATION_TOKEN=x;
--- init
await_keys();
is(verdict(), 'yes', 'signed with them');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 6: of a file, which changes
--- keys eval: "credentials=file:keys#c"
--- user_files eval: ">>> ../conf/keys\n[c]\naws_access_key_id = AKIDWRONG\naws_secret_access_key = wrong\n"
--- init
like(verdict(), qr/AKIDWRONG is not mine/, 'at once');
open my $out, '>', "$ENV{TEST_NGINX_SERVROOT}/conf/keys.new";
print $out "[c]\naws_access_key_id=$::c{access_key}\naws_secret_access_key=$::c{secret_key}\n"
    . "aws_session_token=$::c{session_token}\n";
close $out;
rename "$ENV{TEST_NGINX_SERVROOT}/conf/keys.new", "$ENV{TEST_NGINX_SERVROOT}/conf/keys";
wait_until(sub { verdict() eq 'yes' }, 'the new ones');
open $out, '>', "$ENV{TEST_NGINX_SERVROOT}/conf/keys";
print $out "[other]\n";
close $out;
await('keys from "file:\S+keys#c" were not renewed: "\S+keys" has no profile "c": [^\n]*: the old ones are used on');
is(verdict(), 'yes', 'a broken file changes nothing');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 7: a role, taken with keys that stay
--- keys eval: "assume_role=arn:aws:iam::1:role/r access_key=AKIDSOURCE secret_key=source/secret external_id=abc/1 sts_endpoint=http://$::at/sts sts_region=eu-west-1"
--- init
await_keys();
my @asked = provided(qr/./);
is(join("\n", @asked[-3 .. -1]), "POST /sts\nAction=AssumeRole ExternalId=abc/1 RoleArn=arn:aws:iam::1:role/r "
    . "RoleSessionName=ngx_http_s3_resign Version=2011-06-15\n"
    . "signed by AKIDSOURCE " . POSIX::strftime('%Y%m%d', gmtime) . "/eu-west-1/sts/aws4_request: right", 'signed');
is(verdict(), 'yes', 'signed with them');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 8: kept over a reload, by workers that get no others
--- keys eval: "credentials=imds endpoint=http://$::at"
--- init
await_keys();
provider('status=500');
reload();
is(verdict(), 'yes', 'they are there');
is(logged('no keys from'), 0, 'nobody has missed them');
reload(sub { s/credentials=imds/credentials=ecs/; s{(endpoint=\S+)}{$1/container} });
await('no keys from "ecs"');
is(verdict(), 502, 'those of one provider are not those of another');
provider('none');
await_keys();
wait_until(sub { verdict() eq 'yes' }, 'new ones');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 9: health checks sign with them
--- keys eval: "credentials=imds endpoint=http://$::at"
--- upstream: s3_health_check interval=100ms rise=1 fall=1 uri=/t9/x;
--- provider: status=500
--- init
await('is down: it has no keys yet \(credentials=\)');
provider('none');
await('is up');
like((received('/t9'))[-1], qr/^C 200 verified /, 'checked');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 10: in a location, and an unsigned request, which needs none
--- provider: status=500
--- config eval
"$ENV{TEST_NGINX_CLIENT}
location / {
    s3_resign on;
    s3_anonymous on;
    s3_origin credentials=imds endpoint=http://$::at region=us-west-2;
    proxy_pass http://$ENV{TEST_NGINX_C};
}"
--- init
await('no keys from "imds"');
is(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/bucket/key")->{status}, 200, 'unsigned');
is(verdict(), 502, 'signed');
provider('none');
await_keys();
--- signed: GET /bucket/key => 200 verified yes

=== TEST 11: keys that the origin rejects are renewed, and the request is made once more
--- keys eval: "credentials=imds endpoint=http://$::at"
--- provider: wrong
--- init
await_keys();
mood('C=keys');
provider('none');
my $answer = ask(path => '/t11/a');
is($answer->{status} . ' ' . ($answer->{headers}{'x-verified'} // ''), '200 yes', 'with the new ones');
is(join("\n", map {s/ HTTP\S+$//r} received('/t11')), "C 400 unverified body=0 GET /t11/a\nC 200 verified body=0 GET /t11/a",
    'two tries');
is(verdict(), 'yes', 'and so on');
is(logged('rejects keys that may have expired'), 1, 'once');
is(logged('temporarily disabled'), 0, 'it has not failed');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 12: an upload, too, unless it is not kept
--- keys eval: "credentials=imds endpoint=http://$::at"
--- provider: wrong
--- config
$TEST_NGINX_CLIENT
location / { s3_resign on; proxy_pass http://keyed; }
location /unbuffered { s3_resign on; proxy_request_buffering off; proxy_pass http://keyed; }
--- init
await_keys();
mood('C=keys:InvalidAccessKeyId');
provider('slow');
my $put = ask(method => 'PUT', path => '/unbuffered/t12', body => 'hello');
is($put->{status}, 503, 'not kept');
like($put->{content}, qr/<Code>ServiceUnavailable</, 'it can be tried again');
provider('none');
wait_until(sub { ask(method => 'PUT', path => '/unbuffered/t12', body => 'hello')->{status} == 200 }, 'new ones');
--- signed: PUT /t12/b body=hello => 200 verified yes

=== TEST 13: no newer keys: once, and not for long
--- keys eval: "credentials=imds endpoint=http://$::at"
--- provider: wrong
--- init
await_keys();
mood('C=keys');
my $answer = ask(path => '/t13/a');
is($answer->{status}, 503, 'told to try again');
unlike($answer->{content}, qr/ExpiredToken|AKIDWRONG/, 'and nothing of the keys');
is(scalar(my @tries = received('/t13')), 1, 'one try');
my ($fetched, $began) = (scalar(grep { m{/the-role$} } provided(qr/./)), Time::HiRes::time);
ask(path => '/t13/b') for 1 .. 5;
# Once a second at the most.
my $may = $fetched + 1 + int(Time::HiRes::time - $began);
cmp_ok(grep({ m{/the-role$} } provided(qr/./)), '<=', $may, 'they are not fetched all the time');
provider('slow');
is(ask(method => 'HEAD', path => '/t13/c')->{status}, 400, 'without a body it is passed on');
mood('C=none');
provider('none');
wait_until(sub { verdict() eq 'yes' }, 'new ones');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 14: other errors are the origin's, whatever they look like
--- keys eval: "credentials=imds endpoint=http://$::at"
--- init
await_keys();
mood('C=403:AccessDenied');
is(ask()->{status}, 403, 'AccessDenied');
for my $body ('', '<Error><Code>', 'ExpiredToken', '<Error><Code>ExpiredTokenX</Code></Error>') {
    my $length = length $body;
    for my $head ("Content-Length: $length\r\n", '') {
        mood('C=raw:' . unpack 'H*', "HTTP/1.1 400 x\r\n${head}Connection: close\r\n\r\n$body");
        is(ask()->{status}, 400, "$head$body");
    }
}
# In pieces, after which the keys are fetched again.
mood('C=raw:' . join '.', map { unpack 'H*', $_ } "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n<Error><Co",
    "de>Expired", "\r\n14\r\nToken</Code></Error>\r\n0\r\n\r\n");
like(ask()->{status}, qr/^(?:400|503)$/, 'in pieces');
mood('C=none');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 15: at the same origin, over connections that are kept, whatever is to be tried again
--- keys eval: "credentials=imds endpoint=http://$::at"
--- upstream
server $TEST_NGINX_A;
s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
s3_seal_key 0123456789abcdef;
keepalive 4;
--- provider: wrong
--- config
$TEST_NGINX_CLIENT
location / {
    s3_resign on;
    proxy_pass http://keyed;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_next_upstream off;
}
--- init
await_keys();
mood('C=keys');
provider('none');
my @answers = map { ask(method => 'PUT', path => "/t15/$_", body => 'hello') } 1 .. 6;
is(join(' ', map { $_->{status} } @answers), '200 200 200 200 200 200', 'each has an answer');
like(join('', sort map { $_->{headers}{'x-origin'} } @answers), qr/^A+C+$/, 'of both origins');
my ($again) = grep { @{[ received("/t15/$_") ]} > 1 } 1 .. 6;
is(join(', ', map { /^(\w \d+)/ } received("/t15/$again")), 'C 400, C 200', 'once more at the same origin');
is(scalar(my @all = received('/t15')), 7, 'and only one');
--- signed: GET /bucket/key => 200

=== TEST 16: a client that leaves while its request waits
--- keys eval: "credentials=imds endpoint=http://$::at"
--- upstream: keepalive 4;
--- provider: wrong
--- config
$TEST_NGINX_CLIENT
location / {
    s3_resign on;
    proxy_pass http://keyed;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
}
--- init
await_keys();
mood('C=keys');
provider('slow');
for my $method (qw(GET HEAD PUT)) {
    my $client = IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_PORT}") or die "connect: $!";
    print $client raw("$method /t16/$method", h4(method => $method, path => "/t16/$method"));
    $client->flush;
    wait_until(sub { received("/t16/$method") }, 'an answer of the origin');
    close $client;
}
mood('C=none');
provider('none');
wait_until(sub { verdict() eq 'yes' }, 'new keys');
is(join(' ', map { verdict(path => "/t16/$_") } 1 .. 5), 'yes yes yes yes yes', 'connections are as they were');
--- signed: GET /bucket/key => 200 verified yes

=== TEST 17: an error_page that asks another origin
--- keys eval: "credentials=imds endpoint=http://$::at"
--- http_config
upstream other { server $TEST_NGINX_C; s3_origin default credentials=ecs endpoint=http://127.0.0.1:$TEST_NGINX_SPARE/container region=us-west-2; }
--- provider: wrong
--- config
$TEST_NGINX_CLIENT
location / { s3_resign on; proxy_pass http://keyed; proxy_intercept_errors on; error_page 403 = @other; }
location @other { s3_resign on; proxy_pass http://other; }
--- init
wait_until(sub { logged('the first are there') == 2 }, 'keys of both');
provider('none');
mood('C=403:AccessDenied');
is(ask(path => '/t17/a')->{status}, 403, 'of both');
is(scalar(my @both = received('/t17/a')), 2, 'asked');
mood('C=keys');
is(verdict(path => '/t17/b'), 'yes', 'with new keys');
--- signed: GET /bucket/key => 200 verified yes
