# s3_status: what is counted, exactly, by several workers, over reloads and killed
# workers; and that its faces are well-formed whatever clients send.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use HTTP::Tiny;
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
my $http   = HTTP::Tiny->new(timeout => 5, keep_alive => 0);
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
cmp_ok(abs(status()->{started} - time), '<', 5, 'started now');

request() for 1 .. 7;
request(tamper => 1) for 1 .. 3;
request(key => 'AKIDNOBODY') for 1 .. 2;
request(query => 'a=%zz');
request(mock => 'A=404');
request(mock => 'A=503');
request(mock => 'A=close,B=close');
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

my $before = requests();
my $answer = request(method => 'PUT', body => 'x' x 100_000);
my $length = length $answer->{content};
my $after  = requests();
cmp_ok($after->{received_bytes} - $before->{received_bytes}, '>', 100_000, 'bytes received');
cmp_ok($after->{received_bytes} - $before->{received_bytes}, '<', 101_000, 'once');
cmp_ok($after->{sent_bytes} - $before->{sent_bytes}, '>', $length, 'bytes sent');
cmp_ok($after->{sent_bytes} - $before->{sent_bytes}, '<', $length + 1000, 'once');

# ------------------------------------------------- reloads and killed workers

my @kept = counts();
reload();
is_deeply([counts()], \@kept, 'kept over a reload');
is(status()->{reloads}, 1, 'a reload');
kill KILL => $_ for workers();
wait_until(sub { workers() == 3 && eval { status() } });
is_deeply([counts()], \@kept, 'kept when all workers are killed');
request() for 1 .. 3;
$kept[$_] += 3 for 0, 2;
is_deeply([counts()], \@kept, 'counted by the next ones');

my $many = join ' ', map {"server 127.0.0.9:$_ down;"} 1 .. 200;
reload(upstream => "$default{upstream} $many s3_origin default access_key=a secret_key=b;");
is_deeply([counts()], \@kept, 'kept where there are many more origins');
is(@{ status()->{origins} }, 202, 'which are shown');
reload();
is_deeply([counts()], \@kept, 'and fewer again');
is(@{ status()->{origins} }, 2, 'which are all');

reload(upstream => "server 127.0.0.9:$_; s3_origin default access_key=a secret_key=b;") for 1 .. 30;
is_deeply([(counts())[0, 1]], [@kept[0, 1]], 'kept while origins come and go');
reload();

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
    upstream origins { $o{upstream} }
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

sub wait_until {
    my $holds = shift;
    for (1 .. 500) {
        return if $holds->();
        sleep 0.01;
    }
    die "nginx did not get there in 5 s\n";
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

sub status { return decode_json(page('format=json')) }

sub page {
    my $answer = $http->get("http://127.0.0.1:$port/s3_status?$_[0]");
    $answer->{success} or die "s3_status: $answer->{status} $answer->{content}";
    return $answer->{content};
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

sub nonzero {
    my $table = shift;
    return { map { $table->{$_} ? ($_ => $table->{$_}) : () } keys %$table };
}

sub sum { my $sum = 0; $sum += $_ for @_; return $sum }

done_testing();
