# s3_status: what is counted, exactly, by several workers, over reloads and killed
# workers; and that its faces are well-formed whatever clients send.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use Digest::SHA qw(sha256_base64);
use File::Temp qw(tempdir);
use Files;
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP qw(decode_json);
use MockOrigin;
use S3Sign;
use S3Test;
use Test::More;
use Time::HiRes qw(sleep);

my $nginx  = $ENV{TEST_NGINX_BINARY};
my $module = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];
my $port   = $ENV{TEST_NGINX_PORT};
my $dir    = tempdir(CLEANUP => 1);
my $http   = HTTP::Tiny->new(timeout => 30, keep_alive => 0);
my ($promtool) = grep {-x} map {"$_/promtool"} split /:/, $ENV{PATH};
my ($server, $mock);

my ($a, $b) = map { {
    name => $_, key => "AKIDORIGIN$_", secret => "secret/of/$_", region => 'us-east-1',
    listen => [$ENV{"TEST_NGINX_$_"}],
} } qw(A B);

$mock = MockOrigin::start($ENV{TEST_NGINX_LOG}, $a, $b);
END {
    my $status = $?;
    stop() if $server;
    if ($mock) { kill TERM => $mock; waitpid $mock, 0 }
    $? = $status;
}

sub origins {
    return join "\n", map {"s3_origin $_->{listen}[0] access_key=$_->{key} secret_key=$_->{secret};"} @_;
}

my %default = (
    http     => '',
    main     => 'worker_processes 3;',
    upstream => "server $a->{listen}[0] max_fails=0; server $b->{listen}[0] backup;\n" . origins($a, $b),
    server   => "$ENV{TEST_NGINX_CLIENT} s3_resign on;
                 location / { proxy_pass http://origins; proxy_next_upstream error http_503; }
                 location = /s3_status { s3_status; }",
);

# -------------------------------------------------------------------- counting

start();
is_deeply([counts()], [0, 0, 0, 0], 'nothing is counted at first');
is(status()->{reloads}, 0, 'not reloaded');
cmp_ok(abs(status()->{started} - time), '<', 60, 'started now');

request() for 1 .. 7;
request(tamper => 1) for 1 .. 3;
request(key => 'AKIDNOBODY') for 1 .. 2;
request(query => 'a=%zz');
request(mock => 'A=404');
request(mock => 'A=503');
request(mock => 'A=close,B=close');
settle(sub { sum((counts())[0, 1]) >= 16 });
is_deeply([counts()], [10, 6, 10, 2], 'let in, refused, tries at A, tries at B');
is_deeply(nonzero(requests()->{by_auth}), { 'v4-header' => 10 }, 'let in, by form');
is_deeply(nonzero(requests()->{by_error}),
    { SignatureDoesNotMatch => 3, InvalidAccessKeyId => 2, InvalidURI => 1 }, 'refused, by code');
is_deeply(nonzero(requests()->{answers}), { '2xx' => 8, '4xx' => 7, '5xx' => 1 }, 'answers');
is(requests()->{retries}, 2, 'retries');
is_deeply(nonzero(origin('A')->{answers}), { '2xx' => 7, '4xx' => 1, '5xx' => 1, none => 1 },
    'answers of A');
is_deeply(nonzero(origin('B')->{answers}), { '2xx' => 1, none => 1 }, 'answers of B');
is(origin('A')->{last_failure}{status}, 0, 'the last failure of A: no answer');
is(sum(@{ origin('A')->{recent}{successes} }), 8, 'recent successes of A');
is(sum(@{ origin('A')->{recent}{failures} }),  2, 'recent failures of A');
is(sum(@{ status()->{recent}{requests} }), 16, 'recent requests');
is(sum(@{ status()->{recent}{refusals} }), 6,  'recent refusals');
is(sum(@{ status()->{sign_time}{counts} }), 16, 'every request took its time');
cmp_ok(status()->{sign_time}{sum_ns}, '>', 0, 'some time');
cmp_ok(status()->{signing_keys}{found}, '>', status()->{signing_keys}{derived}, 'keys are kept');
is_deeply(refused('clients'), { AKIDCLIENT => '3 SignatureDoesNotMatch' }, 'refused clients');
is_deeply(refused('strangers'), { AKIDNOBODY => '2 InvalidAccessKeyId' }, 'refused strangers');

my $gone = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
print $gone raw('GET /bucket/key', h4(host => "127.0.0.1:$port") . "X-Mock: A=delay:1\n");
$gone->flush;
wait_until(sub { HTTP::Tiny->new->get("http://$ENV{TEST_NGINX_LOG}/_open/bucket/key")->{content} });
close $gone;
wait_until(sub { origin('A')->{given_up} });
is(origin('A')->{given_up}, 1, 'a client that went away');
is((counts())[2], 10, 'is no answer of A');

my $before = requests();
my $answer = request(method => 'PUT', body => 'x' x 100_000);
my $length = length $answer->{content};
settle(sub { requests()->{let_in} > $before->{let_in} });
my $after = requests();
cmp_ok($after->{received_bytes} - $before->{received_bytes}, '>', 100_000, 'bytes received');
cmp_ok($after->{received_bytes} - $before->{received_bytes}, '<', 101_000, 'once');
cmp_ok($after->{sent_bytes} - $before->{sent_bytes}, '>', $length, 'bytes sent');
cmp_ok($after->{sent_bytes} - $before->{sent_bytes}, '<', $length + 1000, 'once');

my @host = (host => "127.0.0.1:$port");
like(send_raw(upload(@host, data => 'hello')), qr/^HTTP.* 200 /, 'a streaming upload');
like(send_raw(upload(@host, data => 'hello', spoil => 0)), qr/^HTTP.* 403 /, 'one with a bad chunk');
settle(sub { (counts())[1] >= 7 });
is_deeply([counts()], [13, 7, 12, 2], 'each is counted once, the bad one as refused');

# ------------------------------------------------- reloads and killed workers

my @kept = counts();
is_deeply(\@kept, [13, 7, 12, 2], 'let in, refused, tries at A and B');
reload();
is_deeply([counts()], \@kept, 'kept over a reload');
is(status()->{reloads}, 1, 'a reload');
kill KILL => $_ for workers();
wait_until(sub { workers() == 3 && eval { status() } });
is_deeply([counts()], \@kept, 'kept when all workers are killed');
request() for 1 .. 3;
$kept[$_] += 3 for 0, 2;
settle(sub { (counts())[0] >= $kept[0] });
is_deeply([counts()], \@kept, 'counted by the next ones');

my ($inherited, $memory) = (0, 0);
for (1 .. 30) {
    reload(upstream => "server 127.0.0.9:$_; s3_origin default access_key=a secret_key=b;");
    $inherited += sum(values %{ status()->{origins}[0]{answers} });
    request();    # in vain
    $kept[0]++;
    settle(sub { (counts())[0] >= $kept[0] });
    $memory = memory() if $_ == 10;
}
is_deeply([(counts())[0, 1]], [@kept[0, 1]], 'kept while origins come and go');
is($inherited, 0, 'and none gets what another had');
cmp_ok($memory, '>', 0, 'in some memory');
is(memory(), $memory, 'which does not grow');
reload();
request();
settle(sub { (counts())[0] > $kept[0] });
@kept = counts();
is($kept[2], 1, 'those that are back after that begin anew');

my $many = join ' ', map {"server 127.0.0.9:$_ down;"} 1 .. 200;
reload(upstream => "$default{upstream} $many s3_origin default access_key=a secret_key=b;");
is_deeply([counts()], \@kept, 'kept where there are many more origins');
is(@{ status()->{origins} }, 202, 'which are shown');
reload();
is_deeply([counts()], \@kept, 'and fewer again');
is(@{ status()->{origins} }, 2, 'which are all');

# ----------------------------------------------------------------- under load

my @clients = map {
    my $client = fork // die "fork: $!";
    if (!$client) {
        my $failed = grep {
            my $tamper = $_ % 4 == 0;
            request(tamper => $tamper)->{status} != ($tamper ? 403 : 200);
        } 1 .. 100;
        POSIX::_exit($failed);
    }
    $client;
} 1 .. 4;
reload() for 1 .. 3;
for (@clients) { waitpid $_, 0; is($?, 0, 'all are answered, while nginx reloads') }
$kept[0] += 300;
$kept[1] += 100;
reload();    # until when the last request has reached its log phase
is_deeply([(counts())[0, 1]], [@kept[0, 1]], 'and all are counted');
stop();

# ------------------------------------------- what origins do, and clients ask for

my $weighed = "server $a->{listen}[0] weight=5 max_fails=0; server $b->{listen}[0] backup;\n" . origins($a, $b);
start(upstream => "$weighed server 127.0.0.9:9 down; s3_origin 127.0.0.9:9 access_key=a secret_key=b;");
is_deeply([map { [@$_{qw(weight backup switched_off state)}] } @{ status()->{origins} }],
    [[5, \0, \0, 'unused'], [1, \1, \0, 'unused'], [1, \0, \1, 'unused']], 'weight, backup, down')
    or diag(page('format=json'));

request(mock => 'A=403') for 1 .. 3;
is_state('A', 'rejecting', 1, '▲ answers 403');
request(mock => 'A=500') for 1 .. 4;
is_state('A', 'failing', 0, '▲ answers 500');
request();
is_state('A', 'degraded', 1, '◐ 50 % fail');
request() for 1 .. 80;
is_state('A', 'up', 1, '● up');
is(origin('A')->{last_rejection}{status}, 403, 'the last rejection');
request(mock => 'A=close,B=close');
is_state('B', 'failing', 0, '▲ no answer');

settle(sub { sum((counts())[2, 3]) >= 90 });
my $first = origin('A')->{first_byte};
is(sum(@{ $first->{counts} }), 88, 'each answer has begun at some time');
is_deeply($first->{recent_counts}, $first->{counts}, 'lately');
cmp_ok($first->{recent_p50_ms}, '<=', $first->{recent_p99_ms}, 'half of them sooner than nearly all');
request(method => 'PUT', body => 'x' x 300_000);
my $slow = raw('GET /bucket/key', h4(host => "127.0.0.1:$port") . "X-Mock: A=delay:2\n");
my $waits = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
print $waits $slow;
$waits->flush;
wait_until(sub { origin('A')->{in_flight} });
is(origin('A')->{in_flight}, 1, 'a request is in flight');
like(page('format=prometheus'), qr/^s3_resign_origin_in_flight\{upstream="origins",server="\Q$a->{listen}[0]\E"\} 1$/m, 'Prometheus says so');
{ local $/; <$waits> }
wait_until(sub { !origin('A')->{in_flight} });
is(origin('A')->{in_flight}, 0, 'and is no more');
my $late = origin('A')->{first_byte};
is(sum(@{ $late->{counts} }), 89, 'how long a body takes is not looked at');
my @beyond = grep { ($late->{bounds_ms}[$_] // 'inf') > 1000 } 0 .. $#{ $late->{counts} };
cmp_ok(sum(@{ $late->{counts} }[@beyond]), '>', sum(@{ $first->{counts} }[@beyond]), 'an answer that was late');
cmp_ok($late->{sum_ms}, '>=', 1500, 'by so much');
cmp_ok(origin('A')->{sent_bytes}, '>', 300_000, 'bytes to A');
cmp_ok(origin('A')->{sent_bytes}, '<', 400_000, 'once');
cmp_ok(origin('A')->{received_bytes}, '>', 89 * 100, 'bytes from A');

$waits = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
print $waits $slow =~ s/delay:2/delay:20/r;
$waits->flush;
wait_until(sub { origin('A')->{in_flight} });
kill KILL => $_ for workers();
wait_until(sub { workers() == 3 && eval { status() } });
is(origin('A')->{in_flight}, 0, 'nothing is in flight of workers that were killed');
stop();

start(
    http   => "proxy_cache_path $dir/cache keys_zone=c:1m;",
    server => "$default{server} location /cached/ { proxy_pass http://origins; proxy_cache c; proxy_cache_valid 200 1m; }",
);
my $cached = 0;
for (1 .. 3) {
    request(path => '/cached/key', mock => 'A=cache');
    $cached++;
    settle(sub { sum(values %{ status()->{cache} }) >= $cached });
}
is_deeply(nonzero(status()->{cache}), { miss => 1, hit => 2 }, 'what the cache knew');
request(method => 'PUT', body => 'x' x 300_000);
request(path => '/bucket/', query => 'list-type=2');
request(path => '/bucket/', query => 'list-type=2', tamper => 1);
request(key => 'AKIDNOBODY');
settle(sub { sum((counts())[0, 1]) >= 7 });
my %asked = map { $_ => status()->{operations}{$_} } qw(GetObject PutObject ListObjectsV2);
is_deeply(\%asked, { GetObject => 3, PutObject => 1, ListObjectsV2 => 1 }, 'operations that were accepted');
my $clients_use = status()->{clients};
is_deeply([map { [@$_{qw(access_key requests)}] } @$clients_use], [['AKIDCLIENT', 5]], 'by one client');
cmp_ok($clients_use->[0]{received_bytes}, '>', 300_000, 'bytes of that client');
cmp_ok($clients_use->[0]{sent_bytes}, '>', 5 * 100, 'bytes to it');
is(status()->{other_clients}{requests}, 0, 'and by no other');
reload();
is_deeply(status()->{clients}, $clients_use, 'kept over a reload');
stop();

# ------------------------------------------------------------------- the faces

# Access keys as someone would choose who wants to break out of a page. The first is a client's.
my @hostile = (
    'AKID"\'<i>&', '"><script>alert(1)</script>', "\\\"}{\\", "AKID\\u0000\\n", '"} 1\\n# TYPE a counter', "\xff\xfe", 'K' x 200,
);
start(server => "s3_client 'AKID\"\\'<i>&' secret_key=x; $default{server}");
send_raw(raw('GET /bucket/key', h4(host => "127.0.0.1:$port", key => $_))) for @hostile;
is(requests()->{refused}, scalar @hostile, 'hostile access keys are refused');

my $clients = refused('clients');
is_deeply($clients, { escaped($hostile[0]) => '1 SignatureDoesNotMatch' }, 'JSON: a hostile client');
my $strangers = refused('strangers');
is($strangers->{ escaped($_) }, '1 InvalidAccessKeyId', "JSON: $_") for @hostile[1 .. 4];
is($strangers->{'\\xff\\xfe'}, '1 InvalidAccessKeyId', 'JSON: what is not text');
is((grep {/^K+$/ && length($_) == 95} keys %$strangers), 1, 'JSON: a long one is cut');

my $html = page('');
like($html, qr/^<!DOCTYPE html>\n<html lang="en">/, 'HTML');
unlike($html, qr/$_/, "HTML: no $_") for '<script>alert', '<i>', '\xff', 'K{96}';
like($html, qr/<code>\Q$_\E</, "HTML: $_") for '\\&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;',
    'AKID\\&quot;\\&#39;&lt;i&gt;&amp;';
is(() = $html =~ /<script/g, 1, 'HTML: one script');
for my $tag (qw(main section article table thead tbody tr svg dl div figure header h1 p)) {
    is(() = $html =~ /<$tag\b/g, () = $html =~ /<\/$tag>/g, "HTML: each <$tag> ends");
}
unlike($html, qr/\bhttps?:|\bsrc=|\bstyle=|\bon\w+=/, 'HTML: nothing from elsewhere, nothing inline');

my $prometheus = page('format=prometheus');
like($prometheus, qr/^s3_resign_refused_client_total\{access_key="AKID\\\\\\"\\\\'<i>&"\} 1$/m, 'Prometheus: a client');
unlike($prometheus, qr/alert/, 'Prometheus: no key that strangers make up');
SKIP: {
    skip 'no promtool', 1 if !$promtool;
    is_deeply([metrics_lint($prometheus)], [0, ''], 'Prometheus: promtool finds nothing');
}
is((grep { !/^# (?:HELP|TYPE) s3_resign_\w+ |^s3_resign_\w+(?:\{[^{}]*\})? [\d.e-]+$/ } split /\n/, $prometheus), 0,
    'Prometheus: nothing but metrics');
like($prometheus, qr/^s3_resign_refused_total\{code="InvalidAccessKeyId"\} 6$/m, 'Prometheus: refused');
like($prometheus, qr/^s3_resign_sign_seconds_bucket\{le="\+Inf"\} 7$/m, 'Prometheus: the time');
like($prometheus, qr/^s3_resign_sign_seconds_bucket\{le="0.00005"\} \d$/m, 'Prometheus: in seconds');

my @metrics = $prometheus =~ /^# TYPE (\w+) /mg;
cmp_ok(scalar @metrics, '>', 10, 'there are metrics');
my ($documented) = slurp("$FindBin::Bin/../nginx/README.md") =~ /^## Metrics\n(.*?)^##/ms;
is_deeply([sort $documented =~ /`(s3_resign_\w+)`/g], [sort @metrics], 'nginx/README.md documents all metrics');

# The dashboard for Grafana: its queries are ones, and of these metrics.
my $dashboard = decode_json(slurp("$FindBin::Bin/../docker/grafana/s3-resign.json"));
my @queries = map { $_->{expr} } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
cmp_ok(scalar @queries, '>', 10, 'the dashboard has queries');
my @histograms = $prometheus =~ /^# TYPE (\w+) histogram$/mg;
my %known = map { $_ => 1 } @metrics, map { ("${_}_bucket", "${_}_sum", "${_}_count") } @histograms;
for my $query (@queries) {
    my @unknown = grep { !$known{$_} } $query =~ /\b(s3_resign_\w+)/g;
    is_deeply(\@unknown, [], "of these metrics: $query");
}
my @rules = map { s/\$__\w+/5m/gr =~ s/'/''/gr } @queries;
open my $rules, '>', "$dir/rules.yml" or die $!;
print $rules "groups:\n- name: dashboard\n  rules:\n",
    map {"  - record: query$_\n    expr: '$rules[$_]'\n"} 0 .. $#rules;
close $rules;
SKIP: {
    skip 'no promtool', 1 if !$promtool;
    my $says = `$promtool check rules $dir/rules.yml 2>&1`;
    is($?, 0, 'promtool understands the queries') or diag($says);
}

# The table of strangers stays as it is, whoever they say they are.
request(key => 'AKIDOFTEN') for 1 .. 20;
request(key => "AKID$_")    for 1 .. 100;
$strangers = refused('strangers');
cmp_ok(scalar keys %$strangers, '<=', 32, 'a table of strangers that is bounded');
is($strangers->{AKIDOFTEN}, '20 InvalidAccessKeyId', 'which knows the most frequent one');
is((grep { !/^1 / && !/^20 / } values %$strangers), 0, 'and claims too much of none');
is_deeply(refused('clients'), $clients, 'and pushes out no client');

# --------------------------------------------------------------------- the answer

my %types = ('' => 'text/html; charset=utf-8', 'format=html' => 'text/html; charset=utf-8',
    'format=json' => 'application/json', 'a=b&format=prometheus' => 'text/plain; version=0.0.4; charset=utf-8');
for my $query (sort keys %types) {
    my ($get, $head) = map { $http->request($_, "http://127.0.0.1:$port/s3_status?$query") } qw(GET HEAD);
    is($get->{status}, 200, "GET ?$query");
    is($get->{headers}{'content-type'}, $types{$query}, "GET ?$query: type");
    is($get->{headers}{'content-length'}, length $get->{content}, "GET ?$query: length");
    is($get->{headers}{'cache-control'}, 'no-store', "GET ?$query: not stored");
    is($head->{status}, 200, "HEAD ?$query");
    is($head->{content} // '', '', "HEAD ?$query: no body");
    is($head->{headers}{'content-type'}, $types{$query}, "HEAD ?$query: type");
}
my $policy = $http->get("http://127.0.0.1:$port/s3_status")->{headers}{'content-security-policy'};
like($policy, qr/^default-src 'none';/, 'the page may do nothing');
for (['style', 'css'], ['script', 'js']) {
    my ($element, $file) = @$_;
    my ($text) = $html =~ /<$element>(.*?)<\/$element>/s;
    my $hash = sha256_base64($text) . '=';
    like($policy, qr/$element-src 'sha256-\Q$hash\E'/, "but for the $element of page.$file");
}
for my $method (qw(POST PUT DELETE OPTIONS PROPFIND)) {
    my $answer = $http->request($method, "http://127.0.0.1:$port/s3_status", { content => 'x' x 10_000 });
    is($answer->{status}, 405, $method);
    is($answer->{headers}{allow}, 'GET, HEAD', "$method: what is allowed");
}
is($http->get("http://127.0.0.1:$port/s3_status?format=$_")->{status}, 400, "?format=$_") for 'xml', '', 'JSON';
is((counts())[0], 0, 'requests for the page are not counted');
stop();

# ------------------------------------------------------------- the configuration

my $elsewhere = "$ENV{TEST_NGINX_CLIENT} s3_resign on; location / { proxy_pass http://origins; }";
start(server => "$elsewhere location = /s3_status { s3_status; deny all; }");
is($http->get("http://127.0.0.1:$port/s3_status")->{status}, 403, 'closed by deny');
stop();
start(server => $elsewhere);
is(request()->{status}, 200, 'without s3_status requests pass as well');
is(request(tamper => 1)->{status}, 403, 'and are refused');
reload();
is_deeply([counts()], [0, 0, 0, 0], 'counting begins with s3_status');
stop();

for (
    ['s3_status; s3_status;',    '"s3_status" is duplicate'],
    ['s3_status; s3_resign on;', '"s3_status" in location "/s3_status" answers its requests by itself: remove "s3_resign" here'],
    ['s3_status; proxy_pass http://origins;', 'by itself: remove "proxy_pass" here'],
    ['proxy_pass http://origins; s3_status;', '"s3_status" is in a location that another directive answers'],
    ['empty_gif; s3_status;', '"s3_status" is in a location that another directive answers'],
    ['s3_status on;',            'invalid number of arguments in "s3_status"'],
) {
    my ($location, $why) = @$_;
    write_conf(server => "$elsewhere location /s3_status { $location }");
    my $out = `$nginx -t -e stderr -p $dir -c $dir/nginx.conf 2>&1`;
    isnt($?, 0, "$location fails nginx -t");
    like($out, qr/\Q$why\E/, "$location: the reason");
}

# ---------------------------------------------------------------------- helpers

sub start {
    write_conf(@_);
    $server = fork // die "fork: $!";
    if (!$server) {
        { exec $nginx, '-e', "$dir/error.log", '-p', $dir, '-c', "$dir/nginx.conf" }
        POSIX::_exit(127);
    }
    wait_until(sub { -s "$dir/nginx.pid" && workers() });
}

sub stop {
    kill QUIT => $server;
    waitpid $server, 0;
    undef $server;
    open my $in, '<', "$dir/error.log" or die $!;
    my @bad = grep { /\[(?:alert|emerg|crit)\]/ && !/exited on signal 9/ } <$in>;
    is_deeply(\@bad, [], 'nothing grave in the error log');
    unlink "$dir/error.log", "$dir/nginx.pid";
}

sub write_conf {
    my %o = (%default, @_);
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join ' ', map {"${_}_temp_path $dir/$_;"} qw(client_body proxy fastcgi uwsgi scgi);
    open my $out, '>', "$dir/nginx.conf" or die $!;
    print $out <<"END";
$user $o{main} daemon off; pid $dir/nginx.pid; error_log $dir/error.log info;
load_module $module;
events { worker_connections 64; }
http {
    access_log off; $temp
    $o{http} upstream origins { $o{upstream} }
    server { listen 127.0.0.1:$port; $o{server} }
}
END
    close $out or die $!;
}

# Returns when the old workers are gone.
sub reload {
    write_conf(@_);
    my %old = map { $_ => 1 } workers();
    kill HUP => $server;
    wait_until(sub { my @all = workers(); @all && !grep { $old{$_} } @all });
}

sub workers {
    open my $in, '<', "/proc/$server/task/$server/children" or return;
    return split ' ', <$in> // '';
}

# How large the shared memory is, in bytes.
sub memory { return sum(map { -s $_ } grep { (readlink // '') =~ /^\/memfd:s3_resign_/ } glob "/proc/$server/fd/*") }

sub wait_until {
    my $holds = shift;
    for (1 .. 3000) {
        return if $holds->();
        sleep 0.01;
    }
    die "nginx did not get there in 30 s\n";
}

# A request is counted in its log phase, when the client has its answer already.
sub settle {
    my $holds = shift;
    for (1 .. 1000) {
        return if $holds->();
        sleep 0.01;
    }
}

sub request {
    my %o = (method => 'GET', path => '/bucket/key', @_);
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(host => "127.0.0.1:$port", %o);
    delete $headers{host};    # HTTP::Tiny adds its own
    $headers{'X-Mock'} = $o{mock} if $o{mock};
    my $query = $o{query} ? "?$o{query}" : '';
    return $http->request($o{method}, "http://127.0.0.1:$port$o{path}$query",
        { headers => \%headers, content => $o{body} // '' });
}

# HTTP::Tiny sends no bytes beyond ASCII.
sub send_raw {
    my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
    print $socket $_[0];
    local $/;
    return scalar <$socket>;
}

sub status { return decode_json(page('format=json')) }

sub page {
    my $answer = $http->get("http://127.0.0.1:$port/s3_status?$_[0]");
    $answer->{success} or die "s3_status: $answer->{status} $answer->{content}";
    return $answer->{content};
}

# What all faces say of an origin's state; the class of its colour goes with the sign.
sub is_state {
    my ($name, $state, $up, $sign) = @_;
    my $server = $ENV{"TEST_NGINX_$name"};
    settle(sub { origin($name)->{state} eq $state });
    is(origin($name)->{state}, $state, "$name is $state");
    my $labels = qq(upstream="origins",server="$server");
    my $prometheus = page('format=prometheus');
    like($prometheus, qr/^s3_resign_origin_state\{\Q$labels\E,state="$state"\} 1$/m, "$name: Prometheus says so");
    is(() = $prometheus =~ /^s3_resign_origin_state\{\Q$labels\E,state="\w+"\} 1$/mg, 1, "$name: and nothing else");
    like($prometheus, qr/^s3_resign_origin_up\{\Q$labels\E\} $up$/m, "$name: up is $up");
    my %classes = (up => 'good', degraded => 'warn', rejecting => 'warn', failing => 'bad');
    like(page(''), qr/class="state $classes{$state}">\Q$sign\E</, "$name: the page says $sign");
}

sub requests { return status()->{requests} }

sub origin {
    my $server = $ENV{"TEST_NGINX_$_[0]"};
    my ($origin) = grep { $_->{server} eq $server } @{ status()->{origins} };
    return $origin;
}

sub counts {
    return (@{ requests() }{qw(let_in refused)},
        map { sum(values %{ (origin($_) // {})->{answers} // {} }) } qw(A B));
}

sub refused {
    return { map { $_->{access_key} => "$_->{count} $_->{last_error}" }
        @{ status()->{refused_access_keys}{$_[0]} } };
}

# The exit status of promtool and what it says.
sub metrics_lint {
    my $pid = open2(my $out, my $in, "$promtool check metrics 2>&1");
    print $in $_[0];
    close $in;
    local $/;
    my $says = <$out> // '';
    waitpid $pid, 0;
    return ($?, $says);
}

# As Rust escapes bytes.
sub escaped { return $_[0] =~ s/(["'\\])/\\$1/gr }

sub nonzero {
    my $table = shift;
    return { map { $table->{$_} ? ($_ => $table->{$_}) : () } keys %$table };
}

sub sum { my $sum = 0; $sum += $_ for @_; return $sum }

done_testing();
