package Plot;

# Draws what a request costs against a size, with the 95 % intervals, by gnuplot.

use strict;
use warnings;

use Exporter 'import';

use Figures;

our @EXPORT = qw(plot);

# Points are { size, plain, own }, the last two with the microseconds of all rounds.
# Sizes that go up by factors are on a logarithmic axis.
#
# An image is white, for pages that are dark too.
sub plot {
    my ($path, $title, @points) = @_;
    my %data = map {
        my $name = $_;
        ($name => join '', map { join(' ', $_->{size}, with_interval(@{ $_->{$name} })) . "\n" } @points);
    } qw(plain own);
    my ($least, $most) = map { $_->{size} } @points[0, -1];
    my $by_factors = $least && $most > 9 * $least;
    my $margin = 0.03 * ($most - $least);
    my ($from, $to, $scale) = $by_factors ? ($least / 1.2, $most * 1.2, 'set logscale x') : ($least - $margin, $most + $margin, '');
    my $tics = join ', ', map { sprintf "'%s' %d", with_commas($_->{size}), $_->{size} } @points;
    open my $gnuplot, '|-', 'gnuplot' or die "gnuplot: $!\n";
    print {$gnuplot} <<"END";
set terminal svg size 640,300 font 'sans-serif,12' background 'white'
set output '$path'
set xlabel '$title'
set ylabel 'CPU for a request, us'
set yrange [0:*]
set xrange [$from:$to]
set xtics ($tics)
set grid ytics linecolor '#dddddd'
set border 3
set tics nomirror
set key above left horizontal
$scale
\$own << END_OF_DATA
$data{own}END_OF_DATA
\$plain << END_OF_DATA
$data{plain}END_OF_DATA
plot \$own using 1:2:3:4 with yerrorlines linewidth 2 pointtype 7 pointsize 0.4 linecolor '#0b63c5' title 's3\\_resign', \\
     \$plain using 1:2:3:4 with yerrorlines linewidth 2 pointtype 7 pointsize 0.4 linecolor '#777777' title 'plain proxy\\_pass'
END
    close $gnuplot or die "gnuplot failed\n";
}

sub with_commas {
    my $number = reverse shift;
    return scalar reverse $number =~ s/(\d{3})(?=\d)/$1,/gr;
}

1;
