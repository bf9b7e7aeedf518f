package Test::Nginx::Socket;

# A small runner for data-driven tests of nginx in the format of OpenResty's
# Test::Nginx. It needs nothing but perl and nginx, and knows the sections that
# this project's suite uses; the files run unchanged under the real one, which
# is preferred where it is installed (t/lib comes last in @INC).
#
# A long file, since the real one is a module of this name.
#
# Where it is stricter than the real one: after each block nginx is stopped
# gracefully, and the block fails on any alert, emerg, crit, panic, crash or
# left-over connection in the error log.

use strict;
use warnings;

use Cwd qw(cwd);
use File::Path qw(make_path remove_tree);
use File::Spec;
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG EAGAIN EINTR);
use Test::More ();
use Time::HiRes qw(sleep time);

our $ServerName = 'localhost';
our $ServerAddr = '127.0.0.1';
our $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
our $ServRoot   = $ENV{TEST_NGINX_SERVROOT} || File::Spec->rel2abs('t/servroot');
our $Binary     = $ENV{TEST_NGINX_BINARY}   || 'nginx';
our $Timeout    = $ENV{TEST_NGINX_TIMEOUT}  || 3;
our $LogLevel   = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';

$ENV{TEST_NGINX_SERVER_PORT} = $ServerPort;
$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;

my $Workers           = 1;
my $WorkerConnections = 64;
my $MasterProcess     = 'on';
my $RepeatEach        = 1;
my $NoRootLocation    = 0;
my $ConfigPreamble    = '';
my (@Preprocessors, @Cleanups, @TestCleanups, @EnvToNginx);

my $START_LIMIT = 20;       # seconds that nginx may take to start, or to die
my $STOP_LIMIT  = 10;       # seconds that it may take to stop gracefully
my $TICK        = 0.004;    # seconds between two looks

my ($NginxPid, $TcpServerPid, $Spec, $Blocks, $LastConfig);

# ---------------------------------------------------------------- interface

my @EXPORT = qw(
    run_tests blocks plan repeat_each no_shuffle no_root_location
    no_long_string log_level timeout workers worker_connections master_on
    master_off config_preamble env_to_nginx server_name server_addr server_port
    server_root html_dir bail_out add_block_preprocessor add_cleanup_handler
    add_test_cleanup_handler
);

sub import {
    my ($class, @plan) = @_;
    my $caller = caller;

    strict->import;
    warnings->import;

    no strict 'refs';
    *{"${caller}::$_"} = \&$_ for @EXPORT;
    for my $name (@Test::More::EXPORT) {
        next if $name =~ /^\W/ || defined &{"${caller}::$name"};
        *{"${caller}::$name"} = \&{"Test::More::$name"};
    }

    Test::More->builder->exported_to($caller);
    Test::More->builder->plan(@plan) if @plan;
}

sub run_tests {
    for my $block (blocks()) {
        $_->($block) for @Preprocessors;
        run_block($block);
        $_->($block) for @TestCleanups;
    }
    cleanup();
    remove_tree($ServRoot) if Test::More->builder->is_passing;
}

sub blocks {
    $Blocks ||= parse_spec();
    return @$Blocks;
}

sub plan { Test::More::plan(@_) }

sub repeat_each { $RepeatEach = shift if @_; $RepeatEach }
sub log_level   { $LogLevel = shift   if @_; $LogLevel }
sub timeout     { $Timeout = shift    if @_; $Timeout }
sub workers     { $Workers = shift    if @_; $Workers }
sub server_name { $ServerName = shift if @_; $ServerName }
sub server_addr { $ServerAddr = shift if @_; $ServerAddr }
sub server_port { $ServerPort = shift if @_; $ServerPort }

sub worker_connections {
    $WorkerConnections = shift if @_;
    return $WorkerConnections;
}

sub config_preamble  { $ConfigPreamble = shift }
sub master_on        { $MasterProcess  = 'on' }
sub master_off       { $MasterProcess  = 'off' }
sub no_root_location { $NoRootLocation = 1 }
sub no_shuffle       { }    # blocks always run in the order of the file
sub no_long_string   { }
sub env_to_nginx     { push @EnvToNginx, @_ }
sub server_root      { $ServRoot }
sub html_dir         { "$ServRoot/html" }

sub add_block_preprocessor (&)   { unshift @Preprocessors, shift }
sub add_cleanup_handler ($)      { unshift @Cleanups,      shift }
sub add_test_cleanup_handler ($) { unshift @TestCleanups,  shift }

sub bail_out {
    cleanup();
    Test::More::BAIL_OUT(join '', @_);
}

# ------------------------------------------------------------- the data file

sub parse_spec {
    if (!defined $Spec) {
        no strict 'refs';
        local $/;
        $Spec = readline *{'main::DATA'};
        bail_out("no __DATA__ in $0") if !defined $Spec;
    }
    $Spec =~ s/\r\n?/\n/g;

    my @blocks;
    for my $hunk ($Spec =~ /^===.*?(?=^===|\z)/msg) {
        my $block = parse_block($hunk);
        if (exists $block->{sections}{ONLY}) {
            Test::More::diag("I found ONLY: maybe you're debugging?");
            @blocks = ($block);
            last;
        }
        push @blocks, $block if !exists $block->{sections}{SKIP};
        last if exists $block->{sections}{LAST};
    }

    run_filters($_) for @blocks;
    return \@blocks;
}

sub parse_block {
    my $hunk = shift;

    $hunk =~ s/\A===[ \t]*(.*)\n?//;
    my $name = $1;
    $name =~ s/\s+\z//;

    my (%sections, %filters);
    my (undef, @parts) = split /^--- +(\w+) *(.*)\n?/m, $hunk, -1;
    while (@parts) {
        my ($section, $filters, $value) = splice @parts, 0, 3;
        $value = '' if !defined $value;
        if ($filters =~ /:(?:\s|\z)/) {
            bail_out("$name - extra lines in the one-line section $section")
                if $value =~ /\S/;
            ($filters, $value) = split /\s*:(?:\s+|\z)/, $filters, 2;
            $value = '' if !defined $value;
            $value =~ s/^\s+|\s+$//g;
        }
        else {
            $value =~ s/\A(?:[ \t]*\n)+//;
            $value =~ s/(?<=\n)\s*\z//;
        }
        $sections{$section} = $value;
        $filters{$section}  = [split ' ', $filters];
    }

    return bless { name => $name, sections => \%sections, filters => \%filters },
        'Test::Nginx::Socket::Block';
}

sub run_filters {
    my $block = shift;

    for my $section (sort keys %{ $block->{filters} }) {
        for my $filter (@{ $block->{filters}{$section} }) {
            my $value = \$block->{sections}{$section};
            if    ($filter eq 'eval')  { $$value = evaluate($block, $section, $$value) }
            elsif ($filter eq 'chomp') { chomp $$value }
            elsif ($filter eq 'chop')  { chop $$value }
            elsif ($filter eq 'trim')  { $$value =~ s/\A\s+|\s+\z//g }
            else { bail_out("$block->{name} - unknown filter $filter in $section") }
        }
    }
}

# In the package where Test::Base does it, so that blocks work with both.
sub evaluate {
    my ($block, $section, $code) = @_;

    my @value = eval "package Test::Base::Filter; no strict; no warnings; $code";
    bail_out("$block->{name} - $section: $@") if $@;
    return $value[0];
}

package Test::Nginx::Socket::Block {
    our $AUTOLOAD;

    sub name { $_[0]{name} }

    sub set_value {
        my ($self, $section, $value) = @_;
        if ($section eq 'name') { $self->{name} = $value }
        else                    { $self->{sections}{$section} = $value }
    }

    sub AUTOLOAD {
        my $self = shift;
        (my $section = $AUTOLOAD) =~ s/.*:://;
        return if $section eq 'DESTROY';
        return $self->{sections}{$section};
    }
}

# ------------------------------------------------------------------ one block

sub run_block {
    my $block = shift;
    my $name  = $block->name;

    if (my $reason = skip_reason($block)) {
        my $count = ($block->skip_eval // $block->skip_nginx) =~ /^\s*(\d+)/ ? $1 : 1;
        my $tb = Test::More->builder;
        $tb->skip("$name - $reason") for 1 .. $count;
        return;
    }

    my $failed_before = failures();
    prepare_server_root($block);

    if (defined $block->must_die) {
        run_must_die($block);
    }
    elsif (start_nginx($block)) {
        evaluate($block, 'init', $block->init) if defined $block->init;
        for my $round (1 .. $RepeatEach) {
            my ($socket, $file) = start_tcp_server($block);
            run_requests($block);
            stop_tcp_server($block, $socket, $file);
        }
        sleep $block->wait if $block->wait;
        stop_nginx($block);
    }
    check_access_log($block);
    check_error_log($block);

    show_what_happened($block) if failures() > $failed_before;
}

sub skip_reason {
    my $block = shift;

    if (defined $block->skip_eval) {
        my ($code) = $block->skip_eval =~ /^\s*\d+\s*:\s*(.*)/s
            or bail_out($block->name . ' - bad skip_eval');
        return 'skip_eval' if evaluate($block, 'skip_eval', $code);
    }
    if (defined $block->skip_nginx) {
        my ($op, $major, $minor, $patch, $why) = $block->skip_nginx
            =~ /^\s*\d+\s*:\s*([<>]=?|==)\s*(\d+)\.(\d+)\.(\d+)(?:\s*:\s*(.*?))?\s*$/s
            or bail_out($block->name . ' - bad skip_nginx');
        my $have = nginx_version();
        my $want = ($major * 1000 + $minor) * 1000 + $patch;
        my %holds = (
            '<'  => $have < $want,  '>'  => $have > $want,
            '<=' => $have <= $want, '>=' => $have >= $want,
            '==' => $have == $want,
        );
        return $why || "nginx $op $major.$minor.$patch" if $holds{$op};
    }
    return;
}

my $Version;

sub nginx_version {
    return $Version if $Version;
    my $out = `$Binary -V 2>&1`;
    my ($major, $minor, $patch) = $out =~ m{\w+/(\d+)\.(\d+)\.(\d+)}
        or bail_out("cannot run $Binary -V: $out");
    return $Version = ($major * 1000 + $minor) * 1000 + $patch;
}

sub failures { scalar grep { !$_ } Test::More->builder->summary }

sub show_what_happened {
    my $block = shift;

    my @lines = grep { /\[(?:info|warn|error|crit|alert|emerg)\]|\bpanicked at\b/ }
        log_lines('error.log');
    @lines = @lines[-30 .. -1] if @lines > 30;
    chomp @lines;
    Test::More::diag(join "\n", 'the end of error.log, from info up:',
        map { "  $_" } @lines ? @lines : '(nothing)');

    my $kept = "$ServRoot-failed";
    remove_tree($kept);
    Test::More::diag("all of it is kept in $kept") if rename $ServRoot, $kept;
}

# ------------------------------------------------------- nginx: files, process

sub prepare_server_root {
    my $block = shift;

    if (-e $ServRoot) {
        # never remove a folder that is not ours
        bail_out("$ServRoot is not a server root") if !-f "$ServRoot/conf/nginx.conf";
        stop_stale_nginx();
        remove_tree($ServRoot);
    }
    make_path("$ServRoot/$_") for qw(conf logs html);
    chmod 0755, $ServRoot;
    write_file("$ServRoot/html/index.html",
        '<html><head><title>It works!</title></head><body>It works!</body></html>');
    write_user_files($block);
    write_file("$ServRoot/conf/nginx.conf", nginx_conf($block));
}

# One that a killed test run has left behind.
sub stop_stale_nginx {
    my ($pid) = read_file('logs/nginx.pid') =~ /^(\d+)$/m or return;
    open my $in, '<', "/proc/$pid/cmdline" or return;
    return if index(<$in> // '', $ServRoot) < 0;
    kill TERM => $pid;
    for (1 .. 100) {
        return if !kill 0, $pid;
        sleep 0.02;
    }
}

sub write_user_files {
    my $block = shift;

    my $files = $block->user_files;
    return if !defined $files;
    if (!ref $files) {
        my (undef, @parts) = split /^>>> (\S+)[^\n]*\n/m, $files, -1;
        $files = [];
        while (@parts) {
            my ($file, $content) = splice @parts, 0, 2;
            push @$files, [$file, $content];
        }
    }
    for my $file (@$files) {
        my ($path, $content) = @$file;
        $path = "$ServRoot/html/$path" if $path !~ m{^/};
        make_path($path =~ m{(.*)/});
        write_file($path, expand($block, $content // ''));
    }
}

sub write_file {
    my ($path, $content) = @_;
    open my $out, '>:raw', $path or bail_out("cannot write $path: $!");
    print $out $content;
    close $out or bail_out("cannot write $path: $!");
}

sub nginx_conf {
    my $block = shift;

    my $config = expand($block, $block->config);
    $config = $LastConfig if !defined $config;
    bail_out($block->name . ' - no config') if !defined $config;
    $LastConfig = $config;
    my $http_config = expand($block, $block->http_config) // '';
    my $main_config = expand($block, $block->main_config) // '';
    my $load = join "\n", map { "load_module $_;" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $log_level = $block->log_level // $LogLevel;
    my $env       = join '', map { "env '$_';\n" } @EnvToNginx;
    my $user      = $> == 0 ? 'user root;' : '';
    my $temp      = join "\n    ", map { "${_}_temp_path $ServRoot/${_}_temp;" }
        grep { $http_config !~ /\b${_}_temp_path\b/ }
        qw(client_body proxy fastcgi scgi uwsgi);
    my $server_name = $block->server_name // $ServerName;
    my ($listen, $http2) = ('', '');

    if (defined $block->http2) {
        nginx_version() >= 1_025_001 ? ($http2 = 'http2 on;') : ($listen = ' http2');
    }
    my $root_location = $NoRootLocation ? '' : <<"END";
        location / {
            root $ServRoot/html;
            index index.html index.htm;
        }
END

    return <<"END";
worker_processes $Workers;
daemon off;
master_process $MasterProcess;
error_log $ServRoot/logs/error.log $log_level;
pid $ServRoot/logs/nginx.pid;
$user
$env
$load
$main_config

http {
    access_log $ServRoot/logs/access.log;
    $temp

    default_type text/plain;
    keepalive_timeout 68000ms;

$http_config
    server {
        listen $ServerAddr:$ServerPort$listen;
        $http2
        server_name '$server_name';

        client_max_body_size 30M;

$ConfigPreamble
$config
$root_location
    }
}

events {
    accept_mutex off;
    worker_connections $WorkerConnections;
}
END
}

sub expand {
    my ($block, $text) = @_;

    return if !defined $text;
    $text =~ s/\$(TEST_NGINX_[_A-Z0-9]+)/
        defined $ENV{$1} ? $ENV{$1}
        : bail_out($block->name . " - no environment variable $1")/eg;
    return $text;
}

sub spawn_nginx {
    my $pid = fork // bail_out("fork: $!");
    return $pid if $pid;

    setpgrp;    # so that no worker can be left behind
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>',  '/dev/null';
    open STDERR, '>>', "$ServRoot/logs/stderr.log";
    { exec $Binary, '-e', "$ServRoot/logs/error.log", '-p', "$ServRoot/", '-c',
        "$ServRoot/conf/nginx.conf" }
    POSIX::_exit(127);
}

sub start_nginx {
    my $block = shift;

    my $pid = spawn_nginx();
    for (ticks($START_LIMIT)) {
        if (waitpid($pid, WNOHANG) == $pid) {
            fail($block, 'nginx did not start');
            return;
        }
        # The pid file is written once the sockets are listening.
        if (read_file('logs/nginx.pid') =~ /^$pid\n/) {
            return $NginxPid = $pid;
        }
        sleep $TICK;
    }
    kill_group($pid);
    fail($block, "nginx did not start within $START_LIMIT s");
    return;
}

# Asks for a graceful stop, which also shows connections left behind.
sub stop_nginx {
    my $block = shift;

    my $pid = $NginxPid // return;
    undef $NginxPid;
    kill QUIT => $pid;
    if (!wait_for($pid, $STOP_LIMIT)) {
        kill TERM => $pid;
        if (!wait_for($pid, 2)) {
            kill_group($pid);
        }
        fail($block, "nginx did not stop gracefully within $STOP_LIMIT s") if $block;
    }
    elsif ($block && $? & 127) {
        fail($block, 'nginx was killed by signal ' . ($? & 127));
    }
}

sub kill_group {
    my $pid = shift;
    kill KILL => -$pid;
    waitpid $pid, 0;
}

sub wait_for {
    my ($pid, $limit) = @_;

    for (ticks($limit)) {
        return 1 if waitpid($pid, WNOHANG) != 0;
        sleep $TICK;
    }
    return;
}

# Limits are counted in ticks slept, not by the clock: a machine that stood still
# for seconds shall not fail a test.
sub ticks { 1 .. 1 + $_[0] / $TICK }

sub run_must_die {
    my $block = shift;

    my $pid = spawn_nginx();
    my ($died, $status);
    for (ticks($START_LIMIT)) {
        if (waitpid($pid, WNOHANG) == $pid) {
            ($died, $status) = (1, $?);
            last;
        }
        last if read_file('logs/nginx.pid') =~ /^$pid\n/;
        sleep $TICK;
    }
    if (!$died) {
        fail($block, 'nginx must die but it runs');
        $NginxPid = $pid;
        stop_nginx();
        return;
    }
    return fail($block, 'nginx was killed by signal ' . ($status & 127)) if $status & 127;
    check($block, $status >> 8 != 0, 'nginx died as expected');
}

sub cleanup {
    stop_nginx();
    stop_tcp_server();
    $_->() for splice @Cleanups;
}

my $MainPid = $$;
END {
    if ($$ == $MainPid) {
        local $?;
        cleanup();
    }
}
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

# ------------------------------------------------------------- a one-shot peer

sub start_tcp_server {
    my $block = shift;

    my $target = expand($block, $block->tcp_listen) // return;
    my $reply  = $block->tcp_reply
        // bail_out($block->name . ' - tcp_listen without tcp_reply');
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $target, Listen => 5, ReuseAddr => 1,
    ) or bail_out($block->name . " - cannot listen on $target: $!");
    my $file = "$ServRoot/logs/tcp_query";

    my $pid = fork // bail_out("fork: $!");
    if ($pid) {
        $TcpServerPid = $pid;
        return ($socket, $file);
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    alarm 30;
    serve_once($block, $socket, $reply, $file);
    POSIX::_exit(0);
}

sub serve_once {
    my ($block, $socket, $reply, $file) = @_;

    my $client = $socket->accept or return;
    my $want   = $block->tcp_query_len // length($block->tcp_query // '');
    my $query  = '';
    while (sysread $client, my $bytes, 65536) {
        $query .= $bytes;
        write_file("$file.new", $query);
        rename "$file.new", $file;
        last if length $query >= $want;
    }
    sleep seconds($block->tcp_reply_delay) if $block->tcp_reply_delay;
    $reply = $reply->($query) if ref $reply eq 'CODE';
    for my $part (ref $reply ? @$reply : $reply) {
        syswrite $client, $part;
    }
    sleep 1 while defined $block->tcp_no_close;
    close $client;
}

sub stop_tcp_server {
    my ($block, $socket, $file) = @_;

    return if !$TcpServerPid;
    close $socket if $socket;
    wait_for($TcpServerPid, defined $block && !defined $block->tcp_no_close ? 0.5 : 0);
    kill KILL => $TcpServerPid;
    waitpid $TcpServerPid, 0;
    undef $TcpServerPid;
    return if !$block;

    my $query = read_file('logs/tcp_query');
    check_text($block, $query, $block->tcp_query, 'tcp_query')
        if defined $block->tcp_query;
    check_text($block, length $query, $block->tcp_query_len, 'tcp_query_len')
        if defined $block->tcp_query_len;
}

# -------------------------------------------------------------------- requests

sub run_requests {
    my $block = shift;

    my @requests  = requests($block);
    my $pipelined = $block->pipelined_requests;
    my $many      = $pipelined ? @$pipelined : @requests;
    my $index     = 0;
    for my $request (@requests) {
        my $raw  = join '', map { $_->{value} } @$request;
        my $head = $raw =~ /^\s*HEAD\s/;
        my $left = defined $block->http2 ? ask_curl($block, $raw) : ask($block, $request);

        for (1 .. ($pipelined ? $many : 1)) {
            last if defined $block->ignore_response;
            my $response = parse_response($block, $left // '', $head);
            check_response($block, $response, $index++, $many > 1);
            $left = $response->{left};
        }
        Test::More::diag($block->name . " - bytes after the response: $left")
            if length($left // '') && !defined $block->ignore_response;
        sleep $block->wait if $block->wait && $many > 1;
    }
}

# A list of requests, each a list of packets { value, delay_before }.
sub requests {
    my $block = shift;

    if (defined $block->raw_request) {
        my $raw   = $block->raw_request;
        my $delay = $block->raw_request_middle_delay;
        my @packets = map { ref $_ ? $_ : { value => $_ } } ref $raw ? @$raw : $raw;
        for my $packet (@packets[1 .. $#packets]) {
            $packet->{delay_before} //= $delay;
        }
        return \@packets;
    }

    my $more = $block->more_headers // '';
    my $headers = sub {
        return $more if !ref $more;
        return $more->[$_[0]] // bail_out($block->name . ' - more_headers lacks an entry');
    };

    if (my $list = $block->pipelined_requests) {
        my $all = '';
        for my $i (0 .. $#$list) {
            my $connection = $i == $#$list ? 'close' : 'keep-alive';
            $all .= $_->{value}
                for @{ build_request($block, $list->[$i], $headers->($i), $connection) };
        }
        return [{ value => $all }];
    }

    my $request = $block->request // bail_out($block->name . ' - no request');
    if (!ref $request) {
        1 while $request =~ s/^\s*\#[^\n]+\s+|^\s+//gs;
    }
    my $i = 0;
    return map { build_request($block, $_, $headers->($i++), 'close') }
        ref $request ? @$request : $request;
}

# From "METHOD target [version]", then the body, to what goes on the wire;
# where it came as packets, it is cut at the same places.
sub build_request {
    my ($block, $request, $more, $connection) = @_;

    my @packets = map { ref $_ ? $_ : { value => $_ } } ref $request ? @$request : $request;
    my $source = expand($block, join '', map { $_->{value} } @packets);
    my ($line, $body) = $source =~ /\A([^\n]*)\n?(.*)\z/s;
    my ($method, $target, $version) = $line =~ /^\s*(\S+)(?: +(\S+))?(?: +(\S+))?\s*$/
        or bail_out($block->name . " - bad request line: $line");
    my $body_at = length($source) - length $body;

    my ($headers, $chunked) = ('', 0);
    for my $header (grep { !/^\s*#/ } split /\n+/, $more) {
        $header =~ s/\r\z//;
        my ($key, $value) = split /:\s*/, $header, 2;
        $value //= '';
        $chunked = 1 if lc $key eq 'transfer-encoding' && $value eq 'chunked';
        $headers .= "$key: $value\r\n";
    }
    $body =~ s/^\s+|\s+$//g if !$chunked && $headers !~ /^Content-Length:/m;
    my $head = join '', $method, ' ', $target // '/', ' ', $version // 'HTTP/1.1', "\r\n",
        $headers =~ /^Host:/mi      ? '' : "Host: $ServerName\r\n",
        $headers =~ /^Connection/mi ? '' : "Connection: $connection\r\n",
        $headers,
        length $body && !$chunked && $headers !~ /^Content-Length:/m
        ? 'Content-Length: ' . length($body) . "\r\n" : '',
        "\r\n";

    my $wire = $head . $body;
    my ($from, $at) = (0, 0);
    for my $packet (@packets) {
        $at += length $packet->{value};
        my $to = $packet == $packets[-1] ? length $wire
            : $at <= length $line ? $at
            :                       length($head) + $at - $body_at;
        $packet = { %$packet, value => substr $wire, $from, $to - $from };
        $from = $to;
    }
    return \@packets;
}

sub ask {
    my ($block, $request) = @_;

    my $timeout = seconds($block->timeout) // $Timeout;
    my $socket  = IO::Socket::INET->new(
        PeerAddr => $ServerAddr, PeerPort => $ServerPort, Timeout => $timeout,
    );
    if (!$socket) {
        fail($block, "cannot connect to $ServerAddr:$ServerPort: $!");
        return '';
    }
    $socket->blocking(0);
    local $SIG{PIPE} = 'IGNORE';

    my @packets = @$request;
    my ($out, $in, $send_at) = ('', '', 0);
    my $select = IO::Select->new($socket);
    my $left   = $timeout;
    while (1) {
        if ($out eq '' && @packets) {
            $send_at ||= time + ($packets[0]{delay_before} // 0);
            if (time >= $send_at) {
                $out     = (shift @packets)->{value};
                $send_at = 0;
                $left    = $timeout;
            }
        }
        my $wait = $send_at ? $send_at - time : $left;
        $wait = $wait < 0 ? 0 : $wait > 0.1 ? 0.1 : $wait;
        my ($readable, $writable) =
            IO::Select->select($select, $out ne '' ? $select : undef, undef, $wait);
        if ($writable && @$writable) {
            my $sent = syswrite $socket, $out;
            if (defined $sent) {
                substr $out, 0, $sent, '';
                shutdown $socket, 1 if $out eq '' && !@packets && defined $block->shutdown;
            }
            elsif ($! != EAGAIN && $! != EINTR) {
                ($out, @packets) = ('');    # refused early: the answer may still be read
            }
        }
        if ($readable && @$readable) {
            my $got = sysread $socket, $in, 65536, length $in;
            last if defined $got ? $got == 0 : $! != EAGAIN && $! != EINTR;
            $left = $timeout;
        }
        elsif (!$send_at && !($writable && @$writable) && ($left -= $wait) <= 0) {
            fail($block, "client socket timed out after $timeout s")
                if !defined $block->abort;
            last;
        }
    }
    close $socket;
    return $in;
}

sub ask_curl {
    my ($block, $raw) = @_;

    my ($method, $target, $headers, $body) =
        $raw =~ m{^\s*(\S+) (\S+) HTTP/\S+\r\n(.*?)\r\n\r\n(.*)\z}s
        or bail_out($block->name . ' - cannot give this request to curl');
    my $timeout = seconds($block->timeout) // $Timeout;
    my @command = qw(curl -i -sS --http2-prior-knowledge -H User-Agent: -H Accept:);
    push @command, '--max-time', $timeout;
    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method) if $method ne 'GET';
    push @command, '-H', $_ for grep { !/^Connection:/i } split /\r\n/, $headers;
    if (length $body) {
        push @command, '-H', 'Content-Type:' if $headers !~ /^Content-Type:/mi;
        write_file("$ServRoot/html/curl.data.bin", $body);
        push @command, '--data-binary', "\@$ServRoot/html/curl.data.bin";
    }
    push @command, $block->curl_options if defined $block->curl_options;
    push @command, "http://$ServerAddr:$ServerPort$target";

    my $pid = open(my $pipe, '-|') // bail_out("fork: $!");
    if (!$pid) {
        open STDERR, '>>', "$ServRoot/logs/curl.log";
        { exec @command }
        POSIX::_exit(127);
    }
    binmode $pipe;
    my $out = do { local $/; <$pipe> };
    close $pipe;
    fail($block, 'curl failed: ' . read_file('logs/curl.log')) if $? && !length($out // '');
    return $out;
}

sub seconds {
    my $time = shift // return;
    return $time =~ /^([\d.]+)ms$/ ? $1 / 1000 : $time =~ s/s$//r;
}

# ------------------------------------------------------------------- responses

sub parse_response {
    my ($block, $raw, $head) = @_;

    my %response = (code => '', headers => '', body => '', left => '');
    if ($raw !~ m{\A(HTTP/\d(?:\.\d)? (\d{3})[^\r\n]*\r\n(?:[^\r\n]+\r\n)*)\r\n(.*)\z}s) {
        $response{body} = $raw;
        return \%response;
    }
    @response{qw(headers code body)} = ($1, $2, $3);
    my $length = header(\%response, 'Content-Length');

    if ($head || $response{code} =~ /^(?:101|204|304)$/) {
        return \%response;
    }
    if ((header(\%response, 'Transfer-Encoding') // '') eq 'chunked') {
        my ($rest, $decoded, $ended) = ($response{body}, '', 0);
        while ($rest =~ s/\A([0-9A-Fa-f]+)[ \t]*\r\n//) {
            my $size = hex $1;
            if ($size == 0) {
                $ended = $rest =~ s/\A(?:[^\r\n]+\r\n)*\r\n//;
                last;
            }
            last if length $rest < $size + 2;
            $decoded .= substr $rest, 0, $size, '';
            last if $rest !~ s/\A\r\n//;
        }
        fail($block, 'the chunked response breaks off') if !$ended;
        @response{qw(body left)} = ($decoded, $rest);
    }
    elsif (defined $length) {
        if (length $response{body} < $length) {
            fail($block, "response body truncated: $length expected, got "
                    . length $response{body});
        }
        else {
            $response{left} = substr $response{body}, $length;
            substr($response{body}, $length) = '';
        }
    }
    return \%response;
}

sub header {
    my ($response, $name) = @_;
    my @values = $response->{headers} =~ /^\Q$name\E[ \t]*:[ \t]*(.*?)[ \t]*\r?$/mgi;
    return @values ? join ', ', @values : undef;
}

sub check_response {
    my ($block, $response, $index, $many) = @_;

    my $expected = sub {
        my $value = $block->{sections}{ $_[0] } // return undef;
        return $value->[$index] if ref $value eq 'ARRAY';
        bail_out($block->name . " - $_[0]: many requests need a list") if $many;
        return $value;
    };

    if (defined $block->error_code_like) {
        check_like($block, $response->{code}, $expected->('error_code_like'), 'status code');
    }
    else {
        my $code = $expected->('error_code') // 200;
        check_text($block, $response->{code}, $code, 'status code');
        Test::More::diag("body: $response->{body}")
            if $response->{code} ne $code && length $response->{body};
    }

    my $like = $expected->('raw_response_headers_like');
    check_like($block, $response->{headers}, qr/$like/s, 'raw response headers like')
        if defined $like;
    my $unlike = $expected->('raw_response_headers_unlike');
    check($block, scalar($response->{headers} !~ /$unlike/s), 'raw response headers unlike',
        "got: $response->{headers}")
        if defined $unlike;

    check_headers($block, $response, $expected->('response_headers'),
        sub { check_text($block, @_) });
    check_headers($block, $response, $expected->('response_headers_like'),
        sub { check_like($block, $_[0], qr/^$_[1]$/, $_[2]) });

    my $body = $response->{body};
    if (defined $block->response_body) {
        my $want = $expected->('response_body');
        if (!ref $want && defined $want) {
            $want =~ s/\$ServerPort\b/$ServerPort/g;
            $want = expand($block, $want);
        }
        ref $want
            ? check_like($block, $body, $want, 'response body')
            : check_text($block, $body, $want, 'response body');
    }
    if (defined $block->response_body_like) {
        my $want = $expected->('response_body_like');
        check_like($block, $body, qr/$want/s, 'response body like');
    }
    elsif (defined $block->response_body_unlike) {
        my $want = $expected->('response_body_unlike');
        check($block, scalar($body !~ /$want/s), 'response body unlike', "got: $body");
    }
}

sub check_headers {
    my ($block, $response, $list, $compare) = @_;

    for my $line (split /\n/, $list // '') {
        next if $line !~ /\S/;
        $line =~ s/^\s+|\s+$//g;
        if ($line =~ s/^!\s*//) {
            my $value = header($response, $line);
            check($block, !defined $value, "no header $line", "got: " . ($value // ''));
            next;
        }
        my ($name, $want) = split /\s*:\s*/, $line, 2;
        $want =~ s/\$ServerPort\b/$ServerPort/g;
        $compare->(header($response, $name) // '', $want, "header $name");
    }
}

# ------------------------------------------------------------------------ logs

sub check_access_log {
    my $block = shift;
    check_patterns($block, 'access', $block->access_log, $block->no_access_log,
        log_lines('access.log'));
}

sub check_error_log {
    my $block = shift;

    my @lines = log_lines('error.log');
    check_patterns($block, 'error', $block->error_log, $block->no_error_log, @lines);

    if (defined(my $grep = $block->grep_error_log)) {
        my $pattern = ref $grep ? $grep : qr/\Q$grep\E/;
        my $got     = join '', map { /$pattern/ ? "$&\n" : () } @lines;
        my $want    = expand($block, $block->grep_error_log_out);
        ref $block->grep_error_log_out
            ? check_like($block, $got, $block->grep_error_log_out, 'grep_error_log_out')
            : check_text($block, $got, $want, 'grep_error_log_out');
    }

    my $asked = join "\n", map { patterns($_) } $block->error_log, $block->no_error_log;
    my @levels = grep { $asked !~ /\[$_/ } 'alert', 'crit',
        defined $block->must_die ? () : 'emerg';
    my $bad = join '|', map({"\\[$_\\]"} @levels), '\bpanicked at\b',
        $asked =~ /exited on signal/ ? () : 'exited on signal',
        'open socket #\d+ left in connection', '\bAssertion .*failed\b',
        'AddressSanitizer|LeakSanitizer|definitely lost';
    my @found = grep { /$bad/ } @lines;
    check($block, 0, "error.log has: $found[0]", @found[1 .. $#found]) if @found;
}

sub check_patterns {
    my ($block, $log, $wanted, $unwanted, @lines) = @_;

    for my $pattern (patterns($wanted)) {
        check($block, (grep { matches($_, $pattern) } @lines) > 0,
            "pattern \"$pattern\" matches a line in $log.log");
    }
    for my $pattern (patterns($unwanted)) {
        my @found = grep { matches($_, $pattern) } @lines;
        check($block, !@found, "pattern \"$pattern\" matches no line in $log.log",
            map {"found: $_"} @found);
    }
}

sub patterns {
    my $patterns = shift // return;
    return grep {defined} @$patterns if ref $patterns eq 'ARRAY';
    return $patterns if ref $patterns;
    return split /\n+/, $patterns;
}

sub matches { ref $_[1] ? $_[0] =~ $_[1] : index($_[0], $_[1]) >= 0 }

sub log_lines {
    my $log = read_file("logs/$_[0]");
    return $log =~ /([^\n]*\n|[^\n]+\z)/g;
}

sub read_file {
    open my $in, '<:raw', "$ServRoot/$_[0]" or return '';
    local $/;
    return <$in> // '';
}

# ---------------------------------------------------------------------- checks

sub check {
    my ($block, $ok, $what, @why) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok($ok, $block->name . " - $what") or Test::More::diag(@why);
    return $ok;
}

sub fail { check($_[0], 0, $_[1]) }

sub check_like {
    my ($block, $got, $pattern, $what) = @_;
    check($block, scalar($got =~ /$pattern/), $what, "got: $got\nwhich does not match: $pattern");
}

sub check_text {
    my ($block, $got, $want, $what) = @_;

    $want //= '';
    return if check($block, $got eq $want, $what);
    if ($got !~ /\n/ && $want !~ /\n/) {
        Test::More::diag("got: $got\nexpected: $want");
        return;
    }
    my @got  = $got  =~ /([^\n]*\n|[^\n]+\z)/g;
    my @want = $want =~ /([^\n]*\n|[^\n]+\z)/g;
    for my $i (0 .. (@got > @want ? $#got : $#want)) {
        my ($g, $w) = map { $_ // '(nothing)' } $got[$i], $want[$i];
        next if $g eq $w;
        s/\n\z/\\n/ for $g, $w;
        Test::More::diag('line ' . ($i + 1) . " differs\n  got:      $g\n  expected: $w");
        last;
    }
    Test::More::diag("got in full:\n$got");
}

1;
