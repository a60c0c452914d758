// SPDX-License-Identifier: MIT
// The system calls that the kernel has, with the kinds of their arguments as `value` knows them.
#ifndef CALLS_H
#define CALLS_H

static const struct known {
	short number;
	const char *kinds;
} known[] = {
	// Data and descriptors.
	{0, "fbl"}, {0, "fbl"}, {1, "fbl"}, {1, "fbl"}, {17, "fbll"}, {18, "fbll"}, {19, "fvi"}, {20, "fvi"}, {295, "fvil"},
	{296, "fvil"}, {327, "fvilzF"}, {328, "fvilzF"}, {8, "fli"}, {77, "fl"}, {76, "pl"}, {40, "ffSl"},
	{275, "fSfSlF"}, {326, "fSfSlF"}, {74, "f"}, {75, "f"}, {221, "flli"}, {73, "fF"}, {306, "f"}, {162, ""}, {285, "fill"},
	{22, "b"}, {293, "bF"}, {319, "pi"}, {3, "f"}, {436, "ffF"}, {32, "f"}, {33, "ff"}, {292, "ffF"}, {72, "fiS"},
	{72, "fif"}, {16, "fFb"}, {7, "Sii"}, {271, "Sitwe"}, {23, "iSSSt"}, {270, "iSSStw"}, {284, "i"}, {290, "iF"},
	{213, "i"}, {291, "F"}, {233, "fifS"}, {232, "fbii"}, {281, "fbiiwe"}, {441, "fbitwe"}, {283, "iF"}, {286, "fitb"},
	{287, "fb"}, {289, "fweF"}, {41, "iii"}, {42, "fSi"}, {53, "iiib"},
	// Paths.
	{2, "pFi"}, {2, "pFi"}, {257, "dpFi"}, {85, "pi"}, {4, "pb"}, {6, "pb"}, {262, "dpbF"}, {5, "fb"}, {332, "dpFFb"},
	{137, "pb"}, {138, "fb"}, {21, "pi"}, {269, "dpi"}, {439, "dpiF"}, {83, "pi"}, {258, "dpi"}, {87, "p"}, {84, "p"},
	{263, "dpF"}, {82, "pp"}, {264, "dpdp"}, {316, "dpdpi"}, {86, "pp"}, {265, "dpdpF"}, {88, "pp"}, {266, "pdp"},
	{89, "pbl"}, {267, "dpbl"}, {79, "bl"}, {80, "p"}, {81, "f"}, {217, "fbl"}, {90, "pi"}, {268, "dpi"}, {91, "fi"},
	{92, "pii"}, {94, "pii"}, {260, "dpiiF"}, {93, "fii"}, {280, "dptF"}, {95, "i"}, {133, "pFi"}, {259, "dpFi"},
	// Memory.
	{9, "anrFfl"}, {9, "anrmfl"}, {9, "anrmfl"}, {11, "an"}, {10, "anr"}, {25, "annFa"}, {28, "ani"}, {12, "a"}, {149, "an"}, {325, "anF"},
	{151, "F"}, {150, "an"}, {152, ""}, {26, "anF"}, {27, "anb"}, {324, "iF"},
	// Time.
	{228, "ib"}, {229, "ib"}, {227, "it"}, {96, "bb"}, {164, "tt"}, {201, "b"}, {35, "tb"}, {230, "iFtb"}, {100, "b"},
	{98, "ib"}, {99, "b"}, {37, "z"}, {36, "ib"}, {38, "itb"}, {222, "iSb"}, {223, "iFtb"}, {224, "ib"}, {225, "i"}, {226, "i"},
	// Signals.
	{13, "sSbe"}, {14, "iwbe"}, {127, "be"}, {130, "we"}, {128, "wbte"}, {15, ""}, {34, ""}, {131, "Sb"}, {62, "Ps"},
	{200, "Ps"}, {234, "PPs"}, {129, "PsS"}, {297, "PPsS"}, {282, "fweF"}, {424, "fsSF"},
	// Processes and threads.
	{60, "i"}, {231, "i"}, {39, ""}, {186, ""}, {218, "x"}, {110, ""}, {111, ""}, {121, "P"}, {124, "P"}, {109, "PP"}, {112, ""},
	{102, ""}, {115, "ib"}, {122, "i"}, {118, "bbb"}, {105, "i"}, {106, "i"}, {158, "Fb"}, {157, "iSiii"}, {273, "xl"},
	{274, "Pbb"}, {202, "xiitxi"}, {202, "xiitxi"}, {202, "xFitxi"}, {302, "PiSb"}, {97, "ib"}, {160, "iS"}, {318, "blF"},
	{63, "b"}, {135, "i"}, {61, "PbFb"}, {61, "PbFb"}, {247, "iPbFb"}, {59, "pSS"}, {322, "dpSSF"}, {24, ""}, {144, "PiS"},
	{145, "P"}, {142, "PS"}, {143, "Pb"}, {146, "i"}, {147, "i"}, {204, "Plb"}, {203, "PlS"}, {324, "FF"}, {309, "bb"},
	{140, "iP"}, {141, "iPi"}, {334, "xiii"}, {434, "PF"}, {101, "iPaa"}, {310, "PvivF"}, {160, "iS"},
};

#endif
