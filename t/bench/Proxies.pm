package Proxies;

# The two nginx, plain (or with another build of the module) and with s3_resign, with
# their configurations and folder, and what an origin says of what the second one sends.

use strict;
use warnings;

use Exporter 'import';
use File::Spec::Functions qw(rel2abs);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

use Machine;
use Requests;
use S3Sign;

our @EXPORT = qw(
    $Before $Dir $Nginx $OriginPort %Port %Workers answer at_origin configure configure_keys file_of_keys read_file start_nginx
    tail write_file
);

our $Nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
our $Before = $ENV{BEFORE} && rel2abs($ENV{BEFORE});
my %Module = (plain => $Before, resign => rel2abs($ENV{TEST_NGINX_S3_MODULE} // 'target/ngx_http_s3_resign_module.so'));
my $SignS3 = $ENV{SIGN_S3} // 'target/release/sign_s3';
my %Origin = (key => 'AKIDORIGIN', secret => "not $Secret", region => 'eu-central-1');

our $Dir = tempdir('s3-resign-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
our (%Port, %Workers, $OriginPort);
(@Port{qw(plain resign)}, $OriginPort) = free_ports(3);
my $Buffers = 'proxy_buffer_size 16k; proxy_buffers 16 64k; proxy_busy_buffers_size 512k;';
my %Master;
my %Defaults = (workers => 1, cpus => $ProxyCpu, connections => 1024, origins => [], clients => {});
my %Configured = %Defaults;

# --------------------------------------------------------------- configuration

# How both are started from now on; what is not said is as at first. Options: workers; cpus, as taskset takes them; connections, of
# a worker; origins, [2, 8] for upstreams of so many, whose locations are /origins-2/ and /origins-8/;
# clients, for each location that has some of its own the directives that name them.
sub configure { %Configured = (%Defaults, @_) }

sub configuration {
    my $name = shift;
    my $signs = $Module{$name};
    my $server = "server 127.0.0.1:$OriginPort; keepalive 256; keepalive_requests 1000000000;";
    my $keys = qq{access_key=$Origin{key} "secret_key=$Origin{secret}" region=$Origin{region}};
    my ($credentials, $decoding) = map { $signs ? "s3_origin default $keys$_;" : '' } '', ' framing=decode';
    my $load = $signs ? "load_module $signs;" : '';
    my $resign = !$signs ? '' : join "\n        ", 's3_resign on;', 's3_max_skew 1h;',
        map {"s3_client $_ \"secret_key=$Secret\";"} @Clients;
    my %clients = %{ $Configured{clients} };
    my $locations = join '', map {
        "        location /of-$_/ { " . ($signs ? $clients{$_} : '') . " proxy_pass http://origin; }\n"
    } sort keys %clients;
    my $upstreams = '';
    for my $count (@{ $Configured{origins} }) {
        my @servers = map {"127.0.0.$_:$OriginPort"} 1 .. $count;
        my @lines = map { ("server $_;", $signs ? "s3_origin $_ $keys;" : ()) } @servers;
        $upstreams .= "    upstream origins-$count { @lines keepalive 2048; keepalive_requests 1000000000; }\n";
        $locations .= "        location /origins-$count/ { proxy_pass http://origins-$count; }\n";
    }
    return <<"END";
$load
daemon off;
worker_processes $Configured{workers};
pid $Dir/$name.pid;
error_log $Dir/$name.log warn;
events { worker_connections $Configured{connections}; }
http {
    access_log off;
    keepalive_requests 1000000000;
    # Connections wait for their turn, however long that takes.
    keepalive_timeout 1h;
    client_header_timeout 1h;
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_max_temp_file_size 0;
    proxy_cache_path $Dir/$name.cache keys_zone=cache:1m;
    upstream origin {
        $server
        $credentials
    }
    upstream decoding {
        $server
        $decoding
    }
$upstreams    # A buffer that Linux sizes by itself is of another size for each way of reading.
    server {
        listen 127.0.0.1:$Port{$name} rcvbuf=3m reuseport;
        large_client_header_buffers 4 16k;
        $resign
        location / { proxy_pass http://origin; }
        location /bucket/decoded/ { proxy_pass http://decoding; }
        location /streamed/ { proxy_pass http://origin; proxy_request_buffering off; }
        location /streamed/decoded/ { proxy_pass http://decoding; proxy_request_buffering off; }
        location /cached/ { proxy_pass http://origin; proxy_cache cache; proxy_cache_valid 200 1h; }
        # as in large-downloads.conf
        location /large/ { proxy_pass http://origin; $Buffers }
        location /sent/ { proxy_pass http://origin; proxy_cache cache; proxy_cache_valid 200 1h; sendfile on; }
$locations    }
}
END
}

# From now on there are locations for keys that are minted, and for those in files of ten and a million.
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
    $clients{$_} = file_of_keys($KeysInFile{$_}) for keys %KeysInFile;
    configure(clients => \%clients);
}

# Writes a file of so many keys, and returns the directive that names it.
sub file_of_keys {
    my $count = shift;
    write_file("$count.keys", join '', map { sprintf "%s secret_key=%s\n", key_in_file($_) } 1 .. $count);
    return "s3_client_file $Dir/$count.keys;";
}

# -------------------------------------------------------------------- processes

# Starts both, in the place of those before.
sub start_nginx {
    stop_nginx();
    for my $name (sort keys %Port) {
        write_file("$name.conf", configuration($name));
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            { exec qw(taskset -c), $Configured{cpus}, $Nginx, qw(-e stderr -p), $Dir, '-c', "$Dir/$name.conf" }
            POSIX::_exit(127);
        }
        $Master{$name} = $pid;
    }
    for my $name (sort keys %Port) {
        for (1 .. 3000) {
            $Workers{$name} = [-s "$Dir/$name.pid" ? workers_of($Master{$name}) : ()];
            last if @{ $Workers{$name} } == $Configured{workers};
            sleep 0.01;
        }
        die "$Nginx did not start\n", tail("$name.log") if @{ $Workers{$name} } != $Configured{workers};
    }
}

sub stop_nginx {
    kill TERM => values %Master if %Master;
    waitpid $_, 0 for values %Master;
    %Master = ();
    unlink map {"$Dir/$_.pid"} keys %Port;
}

sub workers_of {
    my $master = shift;
    my @workers;
    for my $process (glob '/proc/[0-9]*') {
        my ($stat, $title) = map { first_line("$process/$_") } qw(stat cmdline);
        push @workers, $1 if $title =~ /^nginx: worker process/ && $stat =~ /^(\d+) \(.*\) \S $master /;
    }
    return @workers;
}

sub first_line {
    my $path = shift;
    open my $in, '<', $path or return '';
    return <$in> // '';
}

sub free_ports {
    my @sockets = map { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') } 1 .. shift;
    return map { $_->sockport } @sockets;
}

# ------------------------------------------------------------------- one request

# What an origin says of a request that has come through, which must be signed
# with its credentials.
sub at_origin {
    my $request = shift;

    my $origin = IO::Socket::INET->new(
        LocalAddr => "127.0.0.1:$OriginPort", Listen => 4, ReuseAddr => 1, Timeout => 5,
    ) or die "port $OriginPort: $!\n";
    my $client = client();
    my $sender = fork // die "fork: $!\n";
    if (!$sender) {
        print {$client} $request;
        close $client;
        POSIX::_exit(0);
    }
    my $connection = $origin->accept or die "nothing came to the origin\n", tail('resign.log');
    my ($line, @lines) = split /\r\n/, do { local $/ = "\r\n\r\n"; <$connection> };
    my %headers = map { /^(.*?): (.*)/ ? (lc $1 => [$2]) : () } @lines;
    my ($method, $target) = split ' ', $line;
    read $connection, my $body, $headers{'content-length'} ? $headers{'content-length'}[0] : 0;
    waitpid $sender, 0;
    my $seen = S3Sign::verify({ method => $method, target => $target, body => $body, headers => \%headers }, \%Origin);
    die "at the origin: $seen->{verified}\n", tail('resign.log') if $seen->{verified} ne 'yes';
    return { %$seen, data => $seen->{data} // $body };
}

# The answer to a request that no origin is asked about.
sub answer {
    my $client = client();
    print {$client} shift;
    shutdown $client, 1;
    local $/;
    return <$client>;
}

sub client { return IO::Socket::INET->new("127.0.0.1:$Port{resign}") // die "connect: $!\n" }

# ------------------------------------------------------------------------ files

sub write_file {
    my ($name, $content) = @_;
    open my $out, '>', "$Dir/$name" or die "$Dir/$name: $!\n";
    print $out $content;
    close $out or die "$Dir/$name: $!\n";
}

sub read_file {
    my ($name, $length) = @_;
    open my $in, '<', "$Dir/$name" or die "$Dir/$name: $!\n";
    read($in, my $content, $length);
    return $content;
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
