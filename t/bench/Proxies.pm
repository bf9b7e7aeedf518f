package Proxies;

# The nginx under test, with its configuration and its folder, and what an origin says of what it sends.

use strict;
use warnings;

use Exporter 'import';
use File::Spec::Functions qw(rel2abs);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

use Requests;
use S3Sign;

our @EXPORT = qw(
    $Dir $KeyLocations $LoadCpus $Nginx $OriginPort $PlainPort $ProxyCpus $ResignPort $Worker
    at_origin configure_keys start_nginx tail write_file
);

our $Nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
my $Module = rel2abs($ENV{TEST_NGINX_S3_MODULE} // 'target/ngx_http_s3_resign_module.so');
my $SignS3 = $ENV{SIGN_S3} // 'target/release/sign_s3';
my %Origin   = (key => 'AKIDORIGIN', secret => "not $Secret", region => 'eu-central-1');

our $Dir = tempdir('s3-resign-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
our ($ProxyCpus, $LoadCpus) = cpus();
our ($PlainPort, $ResignPort, $OriginPort) = free_ports(3);
my $Master;
our ($Worker, $KeyLocations);

sub configure_keys {
    open my $env, '-|', $SignS3, qw(mint --issuer bench --expires 12h --format env-no-export), "--secret=$Issuer"
        or die "$SignS3: $!\n";
    my %env = map { /^AWS_(\w+)=(.*)/ ? ($1 => $2) : () } <$env>;
    close $env or die "$SignS3 mint has failed\n";
    %Minted = (key => $env{ACCESS_KEY_ID}, secret => $env{SECRET_ACCESS_KEY}, token => $env{SESSION_TOKEN});
    my %clients = (
        listed => "s3_client $Minted{key} secret_key=$Minted{secret} session_token=$Minted{token};",
        minted => qq{s3_issuer bench "secret=$Issuer";},
    );
    for my $name (keys %KeysInFile) {
        write_file("$name.keys", join '', map { sprintf "%s secret_key=%s\n", key_in_file($_) } 1 .. $KeysInFile{$name});
        $clients{$name} = "s3_client_file $Dir/$name.keys;";
    }
    $KeyLocations = join '', map { "        location /$_/ { $clients{$_} proxy_pass http://origin; }\n" } keys %clients;
}

sub proxy_conf {
    my $locations = $KeyLocations // '';
    my $clients = join '', map {"        s3_client $_ \"secret_key=$Secret\";\n"} @Clients;
    my $server = "server 127.0.0.1:$OriginPort; keepalive 256; keepalive_requests 1000000000;";
    my $credentials = qq{default access_key=$Origin{key} "secret_key=$Origin{secret}" region=$Origin{region}};
    return <<"END";
load_module $Module;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    s3_max_skew 1h;
    upstream plain {
        $server
    }
    upstream origin {
        $server
        s3_origin $credentials;
    }
    upstream decoding {
        $server
        s3_origin $credentials framing=decode;
    }
    # A buffer that Linux sizes by itself is of another size for each way of reading.
    server {
        listen 127.0.0.1:$PlainPort rcvbuf=3m;
        location / { proxy_pass http://plain; }
        location /streamed/ { proxy_pass http://plain; proxy_request_buffering off; }
    }
    server {
        listen 127.0.0.1:$ResignPort rcvbuf=3m;
        s3_resign on;
$clients
        location / { proxy_pass http://origin; }
        location /streamed/ { proxy_pass http://origin; proxy_request_buffering off; }
        location /decoded/ { proxy_pass http://decoding; proxy_request_buffering off; }
$locations    }
}
END
}

# Starts nginx with one worker, in the place of the one before.
sub start_nginx {
    stop_nginx();
    write_file('proxy.conf', <<"END" . proxy_conf());
daemon off;
worker_processes 1;
pid $Dir/proxy.pid;
error_log $Dir/proxy.log warn;
END
    $Master = fork // die "fork: $!\n";
    if (!$Master) {
        { exec qw(taskset -c), $ProxyCpus, $Nginx, qw(-e stderr -p), $Dir, '-c', "$Dir/proxy.conf" }
        POSIX::_exit(127);
    }
    for (1 .. 500) {
        sleep 0.01;
        $Worker = -s "$Dir/proxy.pid" && child_of($Master);
        return if $Worker;
    }
    die "$Nginx did not start\n", tail('proxy.log');
}

sub stop_nginx {
    return if !$Master;
    kill TERM => $Master;
    waitpid $Master, 0;
    undef $Master;
}

sub child_of {
    my $parent = shift;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        return $1 if (<$in> // '') =~ /^(\d+) \(.*\) \S $parent /;
    }
    return;
}

# What an origin says of a request that has come through, which must be signed
# with its credentials.
sub at_origin {
    my $request = shift;

    my $origin = IO::Socket::INET->new(
        LocalAddr => "127.0.0.1:$OriginPort", Listen => 4, ReuseAddr => 1, Timeout => 5,
    ) or die "port $OriginPort: $!\n";
    my $client = IO::Socket::INET->new("127.0.0.1:$ResignPort") or die "connect: $!\n";
    my $sender = fork // die "fork: $!\n";
    if (!$sender) {
        print {$client} $request;
        close $client;
        POSIX::_exit(0);
    }
    my $connection = $origin->accept or die "nothing came to the origin\n", tail('proxy.log');
    my ($line, @lines) = split /\r\n/, do { local $/ = "\r\n\r\n"; <$connection> };
    my %headers = map { /^(.*?): (.*)/ ? (lc $1 => [$2]) : () } @lines;
    my ($method, $target) = split ' ', $line;
    read $connection, my $body, $headers{'content-length'} ? $headers{'content-length'}[0] : 0;
    waitpid $sender, 0;
    my $seen = S3Sign::verify({ method => $method, target => $target, body => $body, headers => \%headers }, \%Origin);
    die "at the origin: $seen->{verified}\n", tail('proxy.log') if $seen->{verified} ne 'yes';
    return { %$seen, body => $body };
}

# The first CPU that this process may use, and the others; the same where there is one.
sub cpus {
    my ($list) = `taskset -cp $$` =~ /: (\S+)$/ or die "taskset does not work\n";
    my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list;
    my $first = shift @cpus;
    return ($first, join(',', @cpus) || $first);
}

sub free_ports {
    my @sockets = map { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') } 1 .. shift;
    return map { $_->sockport } @sockets;
}

sub write_file {
    my ($name, $content) = @_;
    open my $out, '>', "$Dir/$name" or die "$Dir/$name: $!\n";
    print $out $content;
    close $out or die "$Dir/$name: $!\n";
}

sub tail {
    my ($name, $count) = (@_, 5);
    open my $in, '<', "$Dir/$name" or return '';
    my @lines = <$in>;
    return @lines ? @lines[-($count < @lines ? $count : @lines) .. -1] : '';
}

END {
    my $status = $?;
    stop_nginx();
    $? = $status;
}

1;
