# The image's entrypoint: what it makes of the environment, what it refuses, and how it minds signals and
# users.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use MockOrigin;
use POSIX ();
use S3Sign;
use S3Test;
use Test::More;
use Time::HiRes qw(sleep);

my $port = $ENV{TEST_NGINX_PORT};
my ($at_a, $at_b) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B)};
my ($module) = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];

# Where another user can read them, too.
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my @files = ("$FindBin::Bin/../docker/entrypoint.sh", "$FindBin::Bin/../nginx/default.conf.template", $module);
copy($_, $dir) or die "$_: $!" for @files;

my %a = (name => 'A', key => 'AKIDA', secret => 'secret/of+A', region => 'us-east-1', listen => [$at_a]);
my %b = (name => 'B', key => 'AKIDB', secret => 'secret/of+B', region => 'eu-central-1', listen => [$at_b]);
my %client = (key => 'AKIDCLIENT', secret => 'secret/of+client');
my $mock = MockOrigin::start($ENV{TEST_NGINX_LOG}, \%a, \%b);
END {
    my $status = $?;
    if ($mock) { kill TERM => $mock; waitpid $mock, 0 }
    $? = $status;
}

my %image = (
    PATH => "$ENV{PATH}:/usr/sbin:/sbin", NGINX => $ENV{TEST_NGINX_BINARY}, PORT => $port,
    S3_RESIGN_RUN => "$dir/run", S3_RESIGN_MODULE => "$dir/" . $module =~ s{.*/}{}r,
    S3_RESIGN_TEMPLATE => "$dir/default.conf.template",
);
my %keys = (CLIENT_ACCESS_KEY => $client{key}, CLIENT_SECRET_KEY => $client{secret});
my %one = (
    %keys,
    ORIGIN_ACCESS_KEY => $a{key}, ORIGIN_SECRET_KEY => $a{secret}, ORIGIN_DOMAIN => $at_a,
    ORIGIN_SCHEME => 'http', AWS_REGION => $a{region},
);
my %two = (
    %keys,
    SERVERA_ACCESS_KEY => $a{key}, SERVERA_SECRET_KEY => $a{secret}, SERVERA_ENDPOINT => $at_a,
    SERVERA_SCHEME => 'http', SERVERA_REGION => $a{region}, SERVERA_BACKUP => 'yes',
    SERVERB_ACCESS_KEY => $b{key}, SERVERB_SECRET_KEY => $b{secret}, SERVERB_ENDPOINT => $at_b,
    SERVERB_SCHEME => 'http', SERVERB_REGION => $b{region},
);

# ---------------------------------------------------------------------- it works

running('one origin', {%one}, sub {
    is(origin_of(signed()), 'A yes', 'a request is signed for it');
    is(signed(secret => 'another')->{status}, 403, 'a wrong signature is refused');
    is(http('/bucket/key')->{status}, 403, 'and an unsigned request');
    is(http('/healthz')->{content}, qq({"status":"ok"}\n), '/healthz');
    like(http('/s3_status?format=json')->{content}, qr/^\{/, '/s3_status');
    is((entrypoint({%one}, 'healthz'))[0], 0, 'healthz, the command');
    like(slurp('stdout'), qr{ AKIDCLIENT .* "GetObject bucket/key" 200 }, 'the log of requests is on stdout');
    like(slurp('stderr'), qr/\[notice\]/, 'that of errors on stderr');
});
is((entrypoint({%one}, 'healthz'))[0], 1, 'healthz fails where nothing runs');

running('two origins', {%two}, sub {
    is(origin_of(signed()), 'B yes', 'the one that is no backup');
    is(origin_of(signed(headers => ['x-mock' => 'B=503'])), 'A yes', 'the backup where it fails');
});

my ($exit, $said) = entrypoint({%one}, '-T');
is($exit, 0, 'nginx options: -T');
like($said, qr/^\s+s3_origin \Q$at_a\E access_key=env:ORIGIN_ACCESS_KEY /m, 'shows the configuration');
($exit, $said) = entrypoint({}, 'echo', 'a b');
is($said, "a b\n", 'a command is run instead');

done_testing();

# Runs the entrypoint with that environment and nothing else: its exit status and what it said.
sub entrypoint {
    my ($env, @arguments) = @_;
    my $pid = launch($env, 'said', 'said', @arguments);
    waitpid $pid, 0;
    return ($? >> 8, slurp('said'));
}

sub launch {
    my ($env, $stdout, $stderr, @arguments) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    %ENV = (%image, %$env);
    open STDOUT, '>', "$dir/$stdout" or die $!;
    $stderr eq $stdout ? open STDERR, '>&', \*STDOUT : open STDERR, '>', "$dir/$stderr";
    my @around = ref $arguments[0] ? @{ shift @arguments } : ();
    { exec @around, "sh", "$dir/entrypoint.sh", @arguments }
    POSIX::_exit(127);
}

# Starts it, and ends it as `docker stop` does.
sub running {
    my ($name, $env, $test, @around) = @_;
    unlink "$dir/run/nginx.pid";
    my $pid = launch($env, 'stdout', 'stderr', @around);
    for (1 .. 500) {
        last if -s "$dir/run/nginx.pid";
        sleep 0.01;
    }
    subtest $name => sub {
        $test->($pid);
        kill TERM => $pid;
        waitpid $pid, 0;
        is($?, 0, 'it ends well') or diag slurp('stderr');
    };
}

sub http { HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$port$_[0]") }

sub signed {
    my %request = (method => 'GET', path => '/bucket/key', host => "127.0.0.1:$port", %client, @_);
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%request);
    delete $headers{host};    # HTTP::Tiny adds its own
    return HTTP::Tiny->new(timeout => 5)
        ->request($request{method}, "http://127.0.0.1:$port$request{path}", { headers => \%headers });
}

# Which origin answered, and what it found the signature to be.
sub origin_of {
    my ($answer) = @_;
    return join ' ', map { $answer->{headers}{$_} // $answer->{status} } qw(x-origin x-verified);
}

sub slurp {
    open my $in, '<', "$dir/$_[0]" or return '';
    local $/;
    return <$in> // '';
}
